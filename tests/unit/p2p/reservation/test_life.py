"""How long a reservation is counted with, and what is said of a relay's clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.p2p.reservation.life import (
    CAUTIOUS_INTERVAL,
    LONGEST_INTERVAL,
    LONGEST_TOLD,
    MOST_PATIENT_INTERVAL,
    SHORTEST_INTERVAL,
    Grant,
    Pace,
)

NOW = 1_800_000_000
TWO_HOURS = 7200


def by_clock(seconds: int) -> Grant:
    """The answer of a relay by whose clock the reservation lasts that long after ours."""
    return Grant(NOW + seconds, NOW)


def told(life: int, skew: int = 0) -> Grant:
    """The answer of a relay that sends the life, and whose clock is ahead by `skew`."""
    return Grant(NOW + skew + life, NOW, life)


@pytest.mark.parametrize(
    ("grant", "life", "interval"),
    [
        (told(3600), 3600, 1800),
        (told(60), 60, 30),
        (told(60, TWO_HOURS), 60, 30),
        (told(60, -TWO_HOURS), 60, 30),
        (told(2), 2, 1),
        (told(1), 1, 0.5),
        (told(0), 0, SHORTEST_INTERVAL),
        (told(86_400), 86_400, LONGEST_INTERVAL),
        (Grant(0, NOW, 60), 60, 30),
        (Grant(2**63, NOW, 2**63), LONGEST_TOLD, LONGEST_INTERVAL),
        (by_clock(3600), 3600, CAUTIOUS_INTERVAL),
        (by_clock(60), 60, 30),
        (by_clock(10), 10, 5),
        (by_clock(2), 2, 1),
        (by_clock(60 + TWO_HOURS), 60, 30),
        (by_clock(60 - TWO_HOURS), 60, 30),
        (by_clock(0), 60, 30),
        (Grant(NOW * 1000, NOW), 60, 30),
        (Grant(2**63, NOW), 60, 30),
        (Grant(0, NOW), 60, 30),
    ],
)
def test_life_and_interval(grant: Grant, life: float, interval: float) -> None:
    assert Pace().of(grant) == (life, interval)


@pytest.mark.parametrize(
    ("grant", "text"),
    [
        (told(3600), None),
        (told(60, 59), None),
        (told(60, TWO_HOURS), "the relay's clock is about 7,200 s ahead of ours"),
        (told(60, -TWO_HOURS), "the relay's clock is about 7,200 s behind ours"),
        (Grant(NOW * 1000, NOW, 60), "the relay's `expire` is no time in seconds: 1800000000000"),
        (by_clock(3600), None),
        (by_clock(1), None),
        (by_clock(60 + TWO_HOURS), "the relay's clock is ahead of ours, or its reservations last 7,260 s"),
        (by_clock(60 - TWO_HOURS), "the relay's clock is at least 7,140 s behind ours"),
        (Grant(2**63, NOW), "the relay's `expire` is no time in seconds: 9223372036854775808"),
        (Grant(0, NOW), "the relay's `expire` is no time in seconds: 0"),
    ],
)
def test_what_is_said_of_the_relay_s_clock(grant: Grant, text: str | None) -> None:
    difference = grant.clock
    assert (None if difference is None else difference.text) == text


def test_a_difference_that_changes_by_seconds_is_no_news() -> None:
    first, same, other = told(60, 7200).clock, told(60, 7210).clock, told(60, 14_400).clock
    assert first is not None
    assert same is not None
    assert other is not None
    assert first.is_news_after(None)
    assert not same.is_news_after(first)
    assert other.is_news_after(first)


def test_each_refusal_doubles_the_interval_up_to_a_bound() -> None:
    pace, intervals = Pace(), []
    for _ in range(6):
        intervals.append(pace.of(by_clock(3600))[1])
        pace.refused()
    assert intervals == [30, 60, 120, 240, 480, MOST_PATIENT_INTERVAL]
    pace.start_again()
    assert pace.of(by_clock(3600)) == (3600, 30)


def test_after_a_refusal_a_short_life_by_the_relay_s_clock_is_not_believed() -> None:
    pace = Pace()
    assert pace.of(by_clock(4)) == (4, 2)
    pace.refused()
    assert pace.of(by_clock(4)) == (120, 60)
    assert pace.of(told(4)) == (4, 2)


@given(st.integers(0, 2**64 - 1), st.none() | st.integers(0, 2**64 - 1), st.integers(0, 9))
def test_whatever_a_relay_answers_the_interval_is_bounded(expire: int, life: int | None, refusals: int) -> None:
    pace = Pace()
    for _ in range(refusals):
        pace.refused()
    counted, interval = pace.of(Grant(expire, NOW, life))
    assert SHORTEST_INTERVAL <= interval <= (MOST_PATIENT_INTERVAL if life is None else LONGEST_INTERVAL)
    assert 0 <= counted <= LONGEST_TOLD
