"""The nodes' keys: on their hosts, in a backup, and their rotation."""

from __future__ import annotations
