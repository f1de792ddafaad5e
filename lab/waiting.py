"""Waits with a time limit, for changes in the kernel or on a host that nothing announces."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], *, timeout: float, pause: float = 0.02) -> bool:
    """Whether `condition` becomes true within `timeout` seconds; it is checked at least once, every `pause` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
