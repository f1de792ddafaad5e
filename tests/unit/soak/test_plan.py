"""The plan of a soak."""

from __future__ import annotations

import pytest

from tests.soak.plan import PEERS, REMOTES, SECONDS_APART, plan

HALF_HOUR = 1800.0


def test_the_same_seed_gives_the_same_plan_and_another_seed_another_one() -> None:
    assert plan(7, HALF_HOUR) == plan(7, HALF_HOUR)
    assert plan(7, HALF_HOUR) != plan(8, HALF_HOUR)


def test_something_happens_every_five_seconds() -> None:
    assert [happening.at for happening in plan(1, 20.0)] == [0.0, SECONDS_APART, 10.0, 15.0]


@pytest.mark.parametrize("seed", range(20))
def test_in_the_second_half_the_peers_and_the_first_relay_live_and_the_second_relay_does_not(seed: int) -> None:
    ends = [h for h in plan(seed, HALF_HOUR) if h.what in ("restart", "kill", "gone")]
    assert {h.who for h in ends if h.at < HALF_HOUR / 2} == {"relay-a", "relay-b", *PEERS}
    assert {h.who for h in ends if h.at >= HALF_HOUR / 2} == {"relay-b"}


def test_half_an_hour_has_every_kind_of_event() -> None:
    kinds = {happening.what for happening in plan(1, HALF_HOUR)}
    assert kinds == {"restart", "kill", "gone", "flush", "mode", "cut", "policy", "relays", "forget", "fresh"}


def test_a_remote_is_forgotten_and_asked_for_only_where_it_is_one() -> None:
    remotes = [(h.who, h.more) for h in plan(3, HALF_HOUR) if h.what in ("forget", "fresh")]
    assert remotes
    assert all(remote in REMOTES[who] for who, remote in remotes)


def test_a_peer_that_dials_others_keeps_a_relay() -> None:
    lists = [(h.who, h.more) for seed in range(20) for h in plan(seed, HALF_HOUR) if h.what == "relays"]
    assert {who for who, more in lists if more == "none"} == {peer for peer in PEERS if not REMOTES[peer]}
