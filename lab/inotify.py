"""The inotify instances that a host's programs need. Without them systemd ends while the host boots, and says nothing.

The kernel limits them for each user, and root of every host is the machine's root: several labs, or containers of
others, use them up (128 by default).
"""

from __future__ import annotations

import ctypes
import os

from lab.errors import LabError

PER_HOST = 9
"""Measured as root: 5 for process 1, 1 for logind, 3 for the service manager of root's logins."""

LIMIT = "fs.inotify.max_user_instances"


def free(most: int) -> int:
    """How many root can still have, counted up to `most`. It takes them for a moment, because nothing lists them."""
    libc = ctypes.CDLL(None, use_errno=True)
    taken: list[int] = []
    try:
        while len(taken) < most:
            descriptor = libc.inotify_init1(os.O_CLOEXEC)
            if descriptor < 0:
                break
            taken.append(descriptor)
        return len(taken)
    finally:
        for descriptor in taken:
            os.close(descriptor)


def shortage(hosts: int) -> str:
    """Why so many hosts can't boot now, and what to do; empty if they can."""
    needed = hosts * PER_HOST
    left = free(needed)
    if left == needed:
        return ""
    noun = "host needs" if hosts == 1 else "hosts need"
    return f"{left} inotify instances are free, and {hosts} {noun} {needed}: sysctl -w {LIMIT}=1024"


def require(hosts: int) -> None:
    """Raises LabError if so many hosts can't boot now."""
    found = shortage(hosts)
    if found:
        raise LabError(found)
