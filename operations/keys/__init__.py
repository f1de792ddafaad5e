"""The nodes' keys: on their hosts, in a backup, and from one to the next."""

from __future__ import annotations
