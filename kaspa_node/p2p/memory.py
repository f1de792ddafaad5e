"""Memory that connections have used is given back to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import trio

# Long enough that a storm of connections makes it happen rarely: it takes some 20 ms after a flood, less otherwise.
PAUSE_SECONDS = 5.0


def give_back() -> bool:
    """Have the C library return the pages that it holds without use; False if it can't (only glibc can).

    What was received lies between what stays, so freeing it leaves holes, and glibc keeps those for itself: 40 MiB
    after a flood that filled the windows of 128 strangers.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return False
    trim(0)
    return True


class Tidier:
    """start_soon: runs a task as long as the host runs."""

    def __init__(self, start_soon: Callable[..., None]) -> None:
        self._start_soon = start_soon
        self._planned = False

    def connection_ended(self) -> None:
        """Give memory back in a while, once for all connections that end until then."""
        if not self._planned:
            self._planned = True
            self._start_soon(self._tidy)

    async def _tidy(self) -> None:
        try:
            await trio.sleep(PAUSE_SECONDS)
        finally:
            self._planned = False
        give_back()
