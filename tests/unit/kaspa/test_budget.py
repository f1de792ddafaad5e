"""How many messages a peer may have us work through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.kaspa.budget import BURST, RATE, STEP, Budget
from kaspa_node.kaspa.hub import BUDGETS, Hub


def test_a_burst_is_free_and_then_it_is_the_rate() -> None:
    budget = Budget(0.0)
    for _ in range(int(BURST)):
        assert budget.wait(0.0) == 0.0
        budget.spend(0.0)
    assert budget.wait(0.0) == STEP / RATE
    assert budget.wait(STEP / RATE) == 0.0


@given(st.lists(st.floats(0, 10), max_size=200))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    budget, now, taken = Budget(0.0), 0.0, 0
    for pause in pauses:
        now += pause
        for _ in range(300):
            if budget.wait(now) > 0:
                break
            budget.spend(now)
            taken += 1
    assert taken <= BURST + RATE * now + 1


def test_the_sessions_of_a_peer_share_one() -> None:
    hub = Hub()
    assert hub.budget("one", 0.0) is hub.budget("one", 5.0)
    assert hub.budget("one", 0.0) is not hub.budget("other", 0.0)


def test_few_are_remembered() -> None:
    hub = Hub()
    first, second = hub.budget("first", 0.0), hub.budget("second", 0.0)
    for number in range(BUDGETS - 2):
        hub.budget(str(number), 0.0)
    assert hub.budget("first", 0.0) is first
    hub.budget("one more", 0.0)
    assert hub.budget("second", 0.0) is not second
