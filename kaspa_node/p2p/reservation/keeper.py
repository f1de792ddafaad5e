"""When to connect to a relay, when to reserve, when to renew, how long to wait: the state machine, without a clock.

A reservation is renewed at half its life, or sooner if only the relay's clock says how long it lasts (`life`). It ends
with the connection, so a relay that went away is connected to again, and asked again. After a failure the pause
doubles, from one second to a minute, with a fifth of jitter so that the peers of a restarted relay don't come back in
step; while a reservation still holds, the pause is at most half of what is left of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kaspa_node.p2p.reservation.life import SHORTEST_INTERVAL, ClockDifference, Grant, Pace

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0

CONNECTING = "connecting"
RESERVING = "reserving"
RESERVED = "reserved"
CONNECTED = "connected"
BACKOFF = "backoff"


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect to the relay; answer with `connected` or `failed`."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Ask for a reservation; answer with `granted` or `failed`. renewal: the last one still holds."""

    renewal: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (seconds, the caller's clock), unless the connection is lost. Then ask again."""

    until: float


Action = Connect | Reserve | Wait


class ReservationKeeper:
    """One relay's keeper. Ask `next` what to do, and report the result.

    wanted: False keeps only the connection. jitter: gives a number from 0 to 1.
    state: one of the names above. reason: of the last failure. expires: end of the reservation on the caller's clock.
    clock: how the relay's clock differs from ours, if it does.
    """

    def __init__(self, *, wanted: bool, jitter: Callable[[], float]) -> None:
        self.state = CONNECTING
        self.reason: str | None = None
        self.expires: float | None = None
        self.clock: ClockDifference | None = None
        self._wanted = wanted
        self._jitter = jitter
        self._pause = FIRST_PAUSE
        self._pace = Pace()
        self._interval = 0.0
        self._slowed = False
        self._renew_at = 0.0
        self._again_at = 0.0
        self._lost_at = float("-inf")

    def next(self, now: float, *, connected: bool) -> Action:
        """What to do now. connected: whether there is a connection to the relay; its owner alone knows."""
        if now < self._again_at:
            return Wait(self._again_at)
        if not connected:
            self.state = CONNECTING
            return Connect()
        if not self._wanted:
            return self._lapse(now)
        if self.expires is None:
            self.state = RESERVING
            return Reserve(renewal=False)
        if now >= self._renew_at:
            return Reserve(renewal=now < self.expires)
        return Wait(self._renew_at)

    def _lapse(self, now: float) -> Wait:
        """A reservation can't be given back by itself: what is left of it is waited for, and not renewed."""
        if self.expires is not None and now < self.expires:
            return Wait(self.expires)
        self.expires = None
        self.state = CONNECTED
        return Wait(float("inf"))

    def want(self, wanted: bool) -> None:
        """Whether a reservation is kept from now on; ask `next` again."""
        self._wanted = wanted

    def connected(self) -> None:
        """The relay is connected."""
        self.state = CONNECTED
        if not self._wanted:
            self._calm()

    def granted(self, grant: Grant, asked: float) -> float:
        """The relay has agreed to the request made at `asked`; returns the life in seconds that is counted with.

        The life counts from the request, because the relay's own count can't have begun before.
        """
        life, self._interval = self._pace.of(grant)
        self._slowed = False
        self.expires = asked + life
        self._renew_at = asked + self._interval
        self.clock = grant.clock
        self.state = RESERVED
        self._calm()
        return life

    def moved(self, now: float) -> None:
        """The connection was replaced by another one: the reservation is to be asked for again on it."""
        self._renew_at = now

    def failed(self, reason: str, now: float, *, no_room: bool = False) -> float:
        """Connecting or reserving failed; returns the pause in seconds. A reservation that still holds is kept.

        no_room: the relay refused for a limit.
        """
        pause = self._pause * (1 + self._jitter() / 5)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        if self.expires is None or now >= self.expires:
            self.expires = None
            self.state = BACKOFF
        else:
            if no_room:
                # The relay holds our reservation, so the limit is on how often we ask. One step for each grant.
                if not self._slowed:
                    self._pace.refused()
                    self._slowed = True
                pause = max(pause, self._interval)
            pause = min(pause, max((self.expires - now) / 2, SHORTEST_INTERVAL))
        self.reason = reason
        self._again_at = now + pause
        return pause

    def lost(self, reason: str, now: float) -> bool:
        """The connection is gone; True if a reservation ended with it."""
        had = self.expires is not None
        self.expires = None
        self.clock = None
        self._pace.start_again()
        self.reason = reason
        self.state = CONNECTING
        # At once the first time: most relays that go away are back from a restart. Not sooner than a failure has said,
        # and not again and again to a relay that accepts a connection only to end it.
        self._again_at = max(self._again_at, self._lost_at + FIRST_PAUSE)
        self._lost_at = now
        return had

    def _calm(self) -> None:
        self.reason = None
        self._pause = FIRST_PAUSE
        self._again_at = 0.0
