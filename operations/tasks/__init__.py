"""The tasks, a file for each or for a few of a kind."""

from __future__ import annotations
