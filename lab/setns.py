"""Enter a network namespace from Python (os.setns came with 3.12)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


@contextmanager
def network_namespace(path: str) -> Iterator[None]:
    """Run the block's thread inside the namespace: sockets made there stay there. Raises OSError."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        inside = os.open(path, os.O_RDONLY)
        try:
            _check(_libc.setns(inside, CLONE_NEWNET), path)
        finally:
            os.close(inside)
        try:
            yield
        finally:
            _check(_libc.setns(home, CLONE_NEWNET), "back to the first namespace")
    finally:
        os.close(home)


def unshare_network() -> None:
    """Give the calling process a new network namespace. Raises OSError."""
    _check(_libc.unshare(CLONE_NEWNET), "new network namespace")


def end_with_parent(signal: int) -> None:
    """Have the kernel send `signal` to the calling process when the thread that started it ends (prctl(2))."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")
