"""Work is paid for; a debt is waited for; who waits for too long is ended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.p2p import budget
from kaspa_node.p2p.budget import SERVED, STRANGER, Budget, Budgets, Rate

RATE = Rate(share=0.1, saved=1.0, patience=5.0, all_receives=True)


def test_what_was_saved_up_is_spent_without_waiting() -> None:
    purse = Budget(RATE, 0.0)
    assert [purse.spend(0.25, 0.0) for _ in range(4)] == [0.0] * 4
    assert purse.spend(0.25, 0.0) == pytest.approx(2.5)


def test_a_debt_is_paid_by_waiting_as_long_as_was_said() -> None:
    purse = Budget(RATE, 0.0)
    wait = purse.spend(1.5, 0.0)
    assert not purse.afford(0.1, wait - 0.1)
    assert purse.afford(0.1, wait)


def test_time_refills_no_more_than_can_be_saved() -> None:
    purse = Budget(RATE, 0.0)
    purse.spend(1.0, 0.0)
    assert not purse.full(9.0)
    assert purse.full(1000.0)
    assert purse.spend(1.1, 1000.0) == pytest.approx(1.0)


def test_what_cannot_be_afforded_costs_nothing() -> None:
    purse = Budget(RATE, 0.0)
    purse.spend(1.5, 0.0)
    assert [purse.afford(1.0, 0.0) for _ in range(5)] == [False] * 5
    assert purse.afford(1.0, 5.001)


def test_who_is_kept_waiting_for_too_long_is_overdrawn() -> None:
    purse, now = Budget(RATE, 0.0), 0.0
    while not purse.overdrawn:
        now += purse.spend(0.05, now)
    assert 5.0 <= now <= 7.0


def test_who_has_rested_until_the_budget_is_full_begins_anew() -> None:
    purse = Budget(RATE, 0.0)
    purse.spend(1.6, 0.0)
    assert purse.overdrawn
    assert purse.full(100.0)
    assert not purse.overdrawn


@given(st.lists(st.tuples(st.floats(0, 0.01), st.floats(0, 1)), max_size=200), st.sampled_from([STRANGER, SERVED]))
def test_nobody_gets_more_than_was_saved_and_its_share(steps: list[tuple[float, float]], rate: Rate) -> None:
    """However it is spent: by somebody who waits as told, and no step is larger than a hundredth of a second."""
    purse, now, done = Budget(rate, 0.0), 0.0, 0.0
    for work, rest in steps:
        now += rest
        done += work
        wait = purse.spend(work, now)
        assert done <= rate.saved + rate.share * now + 0.01 + 1e-9
        now += wait


def test_the_strangers_of_one_address_share_a_budget_and_a_peer_has_its_own() -> None:
    budgets = Budgets()
    one = budgets.of_address("192.0.2.1", 0.0)
    assert budgets.of_address("192.0.2.1", 5.0) is one
    assert budgets.of_address("192.0.2.2", 0.0) is not one
    assert budgets.of_address("2001:db8::1", 0.0) is budgets.of_address("2001:db8::ffff", 0.0)
    assert budgets.of_peer("friend", 0.0) is budgets.of_peer("friend", 0.0)
    assert (one.rate, budgets.of_peer("friend", 0.0).rate) == (STRANGER, SERVED)


def test_budgets_without_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MOST_KEPT", 3)
    budgets = Budgets()
    used = budgets.of_address("192.0.2.1", 0.0)
    for number in range(2, 10):
        budgets.of_address(f"192.0.2.{number}", 0.0)
        assert budgets.of_address("192.0.2.1", 0.0) is used
    assert len(budgets._kept) == 3
