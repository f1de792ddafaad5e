"""When the keeper connects, reserves, renews and waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.p2p.reservation.keeper import (
    BACKOFF,
    CONNECTED,
    CONNECTING,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    RESERVED,
    RESERVING,
    Action,
    Connect,
    Reserve,
    Wait,
)
from kaspa_node.p2p.reservation.life import Grant
from tests.unit.p2p.reservation.link import LinkedKeeper

FOREVER = float("inf")
NOW = 1_800_000_000.0
"""The Unix time at which the tests' own clock says 0."""


def told(life: float, now: float) -> Grant:
    """The answer of a relay that sends the life in seconds."""
    return Grant(int(NOW + now + life), NOW + now, int(life))


def keeper(*, wanted: bool = True, jitter: float = 0.0) -> LinkedKeeper:
    return LinkedKeeper(wanted=wanted, jitter=lambda: jitter)


def reserved(lifetime: float = 3600.0, now: float = 100.0) -> LinkedKeeper:
    """A keeper whose relay has just granted a reservation."""
    found = keeper()
    found.ask(now)
    found.connected()
    found.ask(now)
    found.granted(told(lifetime, now), now)
    return found


def test_it_connects_then_reserves_then_waits_for_half_of_the_life() -> None:
    k = keeper()
    assert k.ask(100.0) == Connect()
    assert k.state == CONNECTING
    k.connected()
    assert k.state == CONNECTED
    assert k.ask(101.0) == Reserve(renewal=False)
    assert k.state == RESERVING
    assert k.granted(told(3600.0, 102.0), 102.0) == 3600.0
    assert (k.state, k.expires) == (RESERVED, 3702.0)
    assert k.ask(102.0) == Wait(1902.0)


def test_half_of_the_life_is_when_it_renews() -> None:
    k = reserved(3600.0, 100.0)
    assert k.ask(1899.9) == Wait(1900.0)
    assert k.ask(1900.0) == Reserve(renewal=True)
    k.granted(told(3600.0, 1900.5), 1900.5)
    assert k.expires == 5500.5
    assert k.ask(1901.0) == Wait(3700.5)


def test_a_renewal_that_fails_keeps_the_reservation_and_is_tried_again() -> None:
    k = reserved(3600.0, 100.0)
    assert k.ask(1900.0) == Reserve(renewal=True)
    assert k.failed("no answer within 10 s", 1910.0) == FIRST_PAUSE
    assert (k.state, k.expires, k.reason) == (RESERVED, 3700.0, "no answer within 10 s")
    assert k.ask(1910.5) == Wait(1911.0)
    assert k.ask(1911.0) == Reserve(renewal=True)
    k.granted(told(3600.0, 1911.0), 1911.0)
    assert k.reason is None


def test_a_reservation_that_ended_meanwhile_is_asked_for_anew() -> None:
    k = reserved(60.0, 100.0)
    assert k.ask(161.0) == Reserve(renewal=False)
    k.failed("refused", 161.0)
    assert (k.state, k.expires) == (BACKOFF, None)


def test_pauses_double_up_to_a_minute() -> None:
    k = keeper()
    now, pauses = 0.0, []
    for _ in range(9):
        assert k.ask(now) == Connect()
        pauses.append(k.failed("connection refused", now))
        assert k.state == BACKOFF
        assert k.ask(now) == Wait(now + pauses[-1])
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_jitter_lengthens_a_pause_by_a_fifth_at_most() -> None:
    k = keeper(jitter=1.0)
    assert k.failed("x", 0.0) == pytest.approx(1.2)
    assert [k.failed("x", 0.0) for _ in range(7)][-1] == pytest.approx(LONGEST_PAUSE * 1.2)


def test_success_resets_the_pause_and_the_reason() -> None:
    k = keeper()
    for _ in range(5):
        k.failed("refused", 0.0)
    k.connected()
    k.granted(told(3600.0, 100.0), 100.0)
    assert k.reason is None
    assert k.failed("x", 1900.0) == FIRST_PAUSE


def test_a_connection_alone_does_not_reset_the_pause() -> None:
    k = keeper()
    k.failed("refused", 0.0)
    k.connected()
    assert k.failed("refused", 1.0) == 2 * FIRST_PAUSE


def test_a_lost_connection_takes_the_reservation_along_and_is_made_again_at_once() -> None:
    k = reserved(now=100.0)
    assert k.lost("closed by the remote", 200.0) is True
    assert (k.state, k.expires, k.reason) == (CONNECTING, None, "closed by the remote")
    assert k.ask(200.0) == Connect()
    k.connected()
    assert k.ask(200.1) == Reserve(renewal=False)


def test_losing_a_connection_without_a_reservation_is_told_apart() -> None:
    k = keeper()
    k.connected()
    assert k.lost("reset", 10.0) is False


def test_a_loss_does_not_shorten_the_pause_of_a_failure() -> None:
    k = keeper()
    k.connected()
    for _ in range(3):
        pause = k.failed("the relay answered RESERVATION_REFUSED", 100.0)
    k.lost("closed by the remote", 100.5)
    assert pause == 4
    assert k.ask(101.0) == Wait(104.0)
    assert k.ask(104.0) == Connect()


def test_a_relay_that_takes_in_only_to_drop_is_not_called_without_a_pause() -> None:
    k = keeper()
    now, calls = 0.0, 0
    while now < 60.0:
        action = k.ask(now)
        if isinstance(action, Wait):
            now = action.until
            continue
        calls += 1
        k.connected()
        k.granted(told(3600.0, now), now)
        now += 0.01
        k.lost("closed by the remote", now)
    assert calls <= 121


def test_a_relay_only_for_dialing_is_kept_without_a_reservation() -> None:
    k = keeper(wanted=False)
    assert k.ask(0.0) == Connect()
    k.failed("refused", 0.0)
    assert k.ask(1.0) == Connect()
    k.connected()
    assert k.ask(1.0) == Wait(FOREVER)
    assert k.reason is None
    assert k.lost("gone", 5.0) is False
    assert k.ask(5.0) == Connect()


STEPS = st.lists(
    st.tuples(st.sampled_from(["connected", "granted", "failed", "lost", "time"]), st.floats(0, 5000)), max_size=40
)


@given(STEPS, st.booleans(), st.floats(0, 1))
def test_it_always_knows_what_to_do_and_never_waits_for_the_past(
    steps: list[tuple[str, float]], wanted: bool, jitter: float
) -> None:
    k = keeper(wanted=wanted, jitter=jitter)
    now = 0.0
    for step, amount in steps:
        action: Action = k.ask(now)
        if isinstance(action, Wait):
            assert action.until > now
        if step == "connected" and isinstance(action, Connect):
            k.connected()
        elif step == "granted" and isinstance(action, Reserve):
            k.granted(told(amount, now), now)
        elif step == "failed" and not isinstance(action, Wait):
            assert FIRST_PAUSE <= k.failed("x", now) <= LONGEST_PAUSE * 1.2
        elif step == "lost":
            k.lost("x", now)
        elif step == "time":
            now += amount


def test_a_reservation_that_is_not_wanted_any_more_is_left_to_its_end() -> None:
    k = reserved(3600.0, 100.0)
    k.want(False)
    assert k.ask(1900.0) == Wait(3700.0)
    assert k.state == RESERVED
    assert k.ask(3700.0) == Wait(FOREVER)
    assert (k.state, k.expires) == (CONNECTED, None)


def test_one_that_is_wanted_again_is_renewed_or_asked_for() -> None:
    k = reserved(3600.0, 100.0)
    k.want(False)
    k.want(True)
    assert k.ask(1900.0) == Reserve(renewal=True)
    k.want(False)
    k.ask(3700.0)
    k.want(True)
    assert k.ask(3701.0) == Reserve(renewal=False)


def test_a_renewal_that_fails_is_tried_again_before_a_short_reservation_ends() -> None:
    k = reserved(10.0, 100.0)
    now = 105.0
    for _ in range(4):
        assert k.ask(now) == Reserve(renewal=True)
        now += k.failed("no answer", now)
    assert now < 110.0
    assert k.state == RESERVED


def test_a_refused_renewal_is_not_repeated_at_once_and_slows_the_next_ones_by_one_step() -> None:
    k = keeper()
    k.connected()
    k.granted(Grant(int(NOW + 3600), NOW), 0.0)
    assert k.ask(0.0) == Wait(30.0)
    assert k.failed("the relay answered RESOURCE_LIMIT_EXCEEDED", 30.0, no_room=True) == 30.0
    k.failed("the relay answered RESOURCE_LIMIT_EXCEEDED", 60.0, no_room=True)
    k.granted(Grant(int(NOW + 90 + 3600), NOW + 90), 90.0)
    assert k.ask(90.0) == Wait(150.0)


def test_a_refusal_without_a_reservation_is_tried_again_as_any_failure_and_slows_nothing() -> None:
    k = keeper()
    k.connected()
    assert k.failed("the relay answered RESERVATION_REFUSED", 0.0, no_room=True) == FIRST_PAUSE
    k.granted(Grant(int(NOW + 3600), NOW), 1.0)
    assert k.ask(1.0) == Wait(31.0)


def test_a_difference_of_clocks_is_kept_until_the_connection_ends() -> None:
    k = keeper()
    k.connected()
    k.granted(Grant(int(NOW + 7260), NOW, 60), 0.0)
    assert k.clock is not None
    assert k.clock.text == "the relay's clock is about 7,200 s ahead of ours"
    k.lost("closed by the remote", 5.0)
    assert k.clock is None
