"""The tasks, one file for each or for a few similar ones."""

from __future__ import annotations
