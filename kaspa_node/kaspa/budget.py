"""How many messages a peer may have us work through: a token bucket, shared by all its sessions.

A message costs about the same whatever is in it, because intake.py bounds what is unpacked and parsed. No clock: time
comes in with each call, in seconds of any monotonic clock.
"""

from __future__ import annotations

RATE = 1000.0
"""Messages a second, for as long as a peer likes. kaspad sends some tens: invs of blocks, and of transactions twice a
second. A Ping and its answer cost some 170 microseconds, so a flood takes less than a fifth of a core."""

BURST = 4000.0
"""Messages at once, for a peer that was quiet."""

SESSION = 100.0
"""What an inbound session costs beside its messages: a call, a handshake, and its lines in the log."""

STEP = 10.0
"""Messages of a peer over its budget that must wait: one pause for all of them."""


class Budget:
    """One peer's."""

    def __init__(self, now: float) -> None:
        self._left = BURST
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until the next messages may be taken; 0 if that is now."""
        self._refill(now)
        return 0.0 if self._left >= 1.0 else (STEP - self._left) / RATE

    def spend(self, now: float, messages: float = 1.0) -> None:
        """Count a message, or what costs as much as some."""
        self._refill(now)
        self._left -= messages

    def _refill(self, now: float) -> None:
        self._left = min(BURST, self._left + (now - self._at) * RATE)
        self._at = now
