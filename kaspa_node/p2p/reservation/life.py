"""How long a reservation lasts, and when to renew it, whatever the relay's clock says.

The specification's `expire` is a time of the relay's clock (libp2p specs, relay/circuit-v2.md, Reservation), so a clock
that is wrong makes a life of a minute look like hours. Our own relay also sends the life in seconds, and that is
believed. The answer of another relay is believed only as long as it is plausible, and its reservation is renewed often
enough that a life of a minute is kept by any clock.
"""

from __future__ import annotations

from dataclasses import dataclass

# Seconds between two renewals, at least: no answer of a relay makes this peer ask more often.
SHORTEST_INTERVAL = 0.5
# Seconds between two renewals, at most, if the relay has sent the life in seconds.
LONGEST_INTERVAL = 1800.0
# Seconds between two renewals, at most, if only the relay's clock says how long the reservation lasts.
CAUTIOUS_INTERVAL = 30.0
# The same for a relay that has refused renewals because they came too often. By default rust-libp2p allows a peer one
# in two minutes, and 30 before that counts; two of these steps get below it.
MOST_PATIENT_INTERVAL = 480.0
# Lives in seconds that a relay's clock can name and be believed. Relays give an hour by default.
SHORTEST_BY_CLOCK, LONGEST_BY_CLOCK = 1.0, 3660.0
LONGEST_TOLD = 24 * 3600.0
# A difference of clocks in seconds that needs no mention.
CLOCK_SLACK = 60.0
# A time that far from now (seconds) is not one in seconds: milliseconds, or no time at all.
_ABSURD = 10 * 365 * 86400.0


@dataclass(frozen=True, slots=True)
class Grant:
    """A relay's consent.

    expire: the end of the reservation, a Unix time by the relay's clock. requested: the Unix time of the request by our
    clock. told: the life in seconds, if the relay has sent it.
    """

    expire: int
    requested: float
    told: int | None = None

    @property
    def remaining(self) -> float:
        """Seconds from the request to `expire`, as if both clocks agreed."""
        return float(self.expire) - self.requested

    def life(self, shortest: float = SHORTEST_BY_CLOCK) -> float | None:
        """The life in seconds, counted from the request; None if it can't be known.

        shortest: what the relay's clock alone can name and be believed.
        """
        if self.told is not None:
            return min(float(self.told), LONGEST_TOLD)
        return self.remaining if shortest <= self.remaining <= LONGEST_BY_CLOCK else None

    @property
    def clock(self) -> ClockDifference | None:
        """How the relay's clock differs from ours, if that is worth a mention."""
        if abs(self.remaining) > _ABSURD:
            return ClockDifference(0.0, f"the relay's `expire` is no time in seconds: {self.expire}")
        if self.told is not None:
            seconds = self.remaining - self.told
            if abs(seconds) <= CLOCK_SLACK:
                return None
            side = "ahead of" if seconds > 0 else "behind"
            return ClockDifference(seconds, f"the relay's clock is about {abs(seconds):,.0f} s {side} ours")
        if self.remaining > LONGEST_BY_CLOCK:
            text = f"the relay's clock is ahead of ours, or its reservations last {self.remaining:,.0f} s"
            return ClockDifference(self.remaining, text)
        if self.remaining < 0:
            text = f"the relay's clock is at least {-self.remaining:,.0f} s behind ours"
            return ClockDifference(self.remaining, text)
        return None


@dataclass(frozen=True, slots=True)
class ClockDifference:
    """What is wrong with a relay's clock. seconds: about how far it is ahead; text: the sentence."""

    seconds: float
    text: str

    def is_news_after(self, other: ClockDifference | None) -> bool:
        """Whether it says more than one that was said before."""
        return other is None or abs(self.seconds - other.seconds) > CLOCK_SLACK


class Pace:
    """How often one relay is asked. It slows down if the relay refuses renewals because they come too often."""

    def __init__(self) -> None:
        self._refusals = 0

    @property
    def cautious(self) -> float:
        """Seconds between two renewals, at most, if only the relay's clock says how long the reservation lasts."""
        return min(CAUTIOUS_INTERVAL * 2.0**self._refusals, MOST_PATIENT_INTERVAL)

    def of(self, grant: Grant) -> tuple[float, float]:
        """(seconds that the reservation is counted with, seconds until it is renewed), both from the request on."""
        # A relay that refuses renewals as often as its clock asks for them has a clock that can't be right.
        life = grant.life(2 * CAUTIOUS_INTERVAL if self._refusals else SHORTEST_BY_CLOCK)
        if life is None:
            return 2 * self.cautious, self.cautious
        longest = self.cautious if grant.told is None else LONGEST_INTERVAL
        return life, max(min(life / 2, longest), SHORTEST_INTERVAL)

    def refused(self) -> None:
        """The relay has refused a renewal while the reservation held."""
        if self.cautious < MOST_PATIENT_INTERVAL:
            self._refusals += 1

    def start_again(self) -> None:
        """Forget the refusals: the connection is a new one."""
        self._refusals = 0
