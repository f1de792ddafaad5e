"""Runbooks as tasks: `fab --list`. docs/operations.md says what they have in common."""

from __future__ import annotations

from operations import command_line
from operations.tasks.capture import capture
from operations.tasks.dial import dial
from operations.tasks.doctor import doctor
from operations.tasks.evidence import evidence
from operations.tasks.keys import backup_keys, restore_keys
from operations.tasks.logs import logs
from operations.tasks.rotate_key import rotate_key
from operations.tasks.service import restart, start, stop
from operations.tasks.status import status

__all__ = [
    "backup_keys",
    "capture",
    "dial",
    "doctor",
    "evidence",
    "logs",
    "restart",
    "restore_keys",
    "rotate_key",
    "start",
    "status",
    "stop",
]

command_line.install()
