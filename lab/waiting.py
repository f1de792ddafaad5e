"""Bounded waits for what the kernel or a host finishes by itself, and nobody announces."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], *, timeout: float, pause: float = 0.02) -> bool:
    """Whether `condition` comes to hold within `timeout` seconds; it is asked at least once, every `pause` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
