"""A keeper beside a relay in simulated time: the relay always holds the reservation, and is not asked too often."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.p2p.reservation.keeper import RESERVED, Connect, Wait
from kaspa_node.p2p.reservation.life import CAUTIOUS_INTERVAL, LONGEST_INTERVAL, SHORTEST_INTERVAL, Grant
from tests.unit.p2p.reservation.link import LinkedKeeper

EPOCH = 1_800_000_000.0
"""The Unix time at which the simulation begins."""


@dataclass
class Relay:
    """life: of its reservations, in seconds. skew: seconds by which its clock is ahead. tells: it is one of ours.

    tokens, refill: of a limit on how often a peer may ask, as rust-libp2p has it: so many at first, and one more in so
    many seconds.
    """

    life: float
    skew: float = 0.0
    tells: bool = False
    tokens: float = float("inf")
    refill: float = 1.0
    held_until: float = float("-inf")
    gaps: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    _refilled: float = 0.0

    def reserve(self, now: float, requested: float) -> Grant | None:
        """The answer to a request that arrives at `now`; None: refused for a limit."""
        if self.tokens != float("inf"):
            self.tokens = min(30.0, self.tokens + (now - self._refilled) / self.refill)
            self._refilled = now
        if self.asked and now > self.held_until:
            self.gaps.append(now - self.held_until)
        self.asked.append(now)
        if self.tokens < 1:
            self.refused.append(now)
            return None
        self.tokens -= 1
        self.held_until = now + self.life
        expire = max(0, min(int(EPOCH + now + self.skew + self.life), 2**64 - 1))
        return Grant(expire, EPOCH + requested, int(self.life) if self.tells else None)


def keep(relay: Relay, seconds: float, there: float = 0.02, back: float = 0.02) -> LinkedKeeper:
    """Let a keeper keep a reservation on the relay; there, back: what a request and its answer take."""
    keeper, now = LinkedKeeper(wanted=True, jitter=lambda: 0.0), 0.0
    while now < seconds:
        action = keeper.ask(now)
        if isinstance(action, Wait):
            assert action.until > now
            now = action.until
        elif isinstance(action, Connect):
            keeper.connected()
        else:
            asked = now
            grant = relay.reserve(now + there, asked)
            now += there + back
            if grant is None:
                keeper.failed("the relay answered RESOURCE_LIMIT_EXCEEDED", now, no_room=True)
            else:
                keeper.granted(grant, asked)
    return keeper


trips = st.floats(0, 0.9)
skews = st.one_of(
    st.floats(-1e9, 1e9),
    st.floats(-4000, 4000),
    st.sampled_from([7200.0, -7200.0, 3600.0, -3600.0, 999 * EPOCH, 2.0**63]),
)


@given(st.floats(2, 100_000), skews, trips, trips)
def test_our_relay_always_holds_the_reservation_whatever_its_clock(
    life: float, skew: float, there: float, back: float
) -> None:
    relay = Relay(life, skew, tells=True)
    seconds = 20 * min(life, 3600.0)
    keep(relay, seconds, there, back)
    assert relay.gaps == []
    assert len(relay.asked) <= 2 + seconds / min(max(int(life) / 2, SHORTEST_INTERVAL), LONGEST_INTERVAL)


@given(st.floats(60, 100_000), skews, trips, trips)
def test_another_relay_always_holds_a_reservation_of_a_minute_or_more_whatever_its_clock(
    life: float, skew: float, there: float, back: float
) -> None:
    relay = Relay(life, skew)
    keep(relay, 600.0, there, back)
    assert relay.gaps == []
    assert len(relay.asked) <= 2 + 600.0 / SHORTEST_INTERVAL


@given(st.floats(2, 60), trips, trips)
def test_another_relay_with_the_right_clock_always_holds_a_short_one(life: float, there: float, back: float) -> None:
    relay = Relay(life)
    keep(relay, 20 * life, there, back)
    assert relay.gaps == []


@pytest.mark.parametrize("life", [60.0, 3600.0])
@pytest.mark.parametrize("skew", [0.0, 7200.0, -7200.0, 2.0**63])
def test_the_load_on_another_relay_is_a_request_in_half_a_minute(life: float, skew: float) -> None:
    relay = Relay(life, skew)
    keep(relay, 3600.0)
    assert 120 <= len(relay.asked) <= 122


def test_a_relay_with_a_clock_far_ahead_is_not_believed_for_hours() -> None:
    # Once it was: the second request came after two hours, and the reservation was there for a minute of them.
    relay = Relay(60.0, 7200.0)
    keeper = keep(relay, 300.0)
    assert relay.asked[1] - relay.asked[0] <= CAUTIOUS_INTERVAL + 0.1
    assert keeper.expires is not None
    assert keeper.expires <= 300 + 60


@pytest.mark.parametrize("skew", [0.0, 7200.0, -3000.0, -3590.0, -7200.0, 2.0**63])
def test_a_relay_that_limits_renewals_is_asked_less_often_until_it_agrees(skew: float) -> None:
    # rust-libp2p by default: an hour, 30 requests, then one in two minutes (protocols/relay/src/behaviour.rs, Config).
    relay = Relay(3600.0, skew, tokens=30.0, refill=120.0)
    keeper = keep(relay, 12 * 3600.0)
    assert relay.gaps == []
    late = [when for when in relay.asked if when > 6 * 3600.0]
    assert len(late) <= 6 * 3600 / 120
    assert [when for when in relay.refused if when > 6 * 3600.0] == []
    assert len(relay.refused) <= 30
    assert keeper.state == RESERVED
