"""The relay's books."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.p2p.relay import ledger as ledger_module
from kaspa_node.p2p.relay.ledger import Circuit, Denied, Ledger, PairTotals, RelayLimits, Reservation
from kaspa_node.p2p.relay.messages import NO_RESERVATION, RESERVATION_REFUSED, RESOURCE_LIMIT_EXCEEDED


def books(**limits: float) -> Ledger:
    return Ledger(RelayLimits(**limits))  # type: ignore[arg-type]


def with_reservations(*peers: str, **limits: float) -> Ledger:
    found = books(**limits)
    for peer in peers:
        assert isinstance(found.reserve(peer, None, 0.0), Reservation)
    return found


def circuit(found: Ledger, name: str, src: str = "a", dst: str = "b") -> Circuit:
    opened = found.open(name, src, dst, 1.0)
    assert isinstance(opened, Circuit)
    return opened


# Reservations


def test_a_reservation_lasts_its_time_and_not_longer() -> None:
    found = books(reservation_ttl=100.0)
    assert found.reserve("b", "203.0.113.20:4012", 10.0) == Reservation("b", "203.0.113.20:4012", 110.0)
    assert found.expire(109.9) == []
    assert found.expire(110.0) == ["b"]
    assert found.expire(111.0) == []


def test_a_renewal_counts_once() -> None:
    found = books(max_reservations=1, reservation_ttl=100.0)
    found.reserve("b", "old", 0.0)
    assert found.reserve("b", "new", 50.0) == Reservation("b", "new", 150.0)
    assert list(found.reservations) == ["b"]


def test_a_full_book_refuses_others_until_one_goes_or_ends() -> None:
    found = books(max_reservations=2, reservation_ttl=100.0)
    found.reserve("a", None, 0.0)
    found.reserve("b", None, 50.0)
    assert found.reserve("c", None, 60.0) == Denied(RESERVATION_REFUSED)
    assert isinstance(found.reserve("c", None, 100.0), Reservation)
    assert found.reserve("d", None, 101.0) == Denied(RESERVATION_REFUSED)
    assert found.release("c")
    assert not found.release("c")
    assert isinstance(found.reserve("d", None, 102.0), Reservation)


# Circuits


def test_a_circuit_needs_a_reservation_of_its_destination_only() -> None:
    found = with_reservations("b")
    assert found.open("1", "a", "nobody", 1.0) == Denied(NO_RESERVATION)
    assert found.open("2", "b", "a", 1.0) == Denied(NO_RESERVATION)
    assert isinstance(found.open("3", "a", "b", 1.0), Circuit)


def test_a_reservation_that_has_ended_is_none() -> None:
    found = with_reservations("b", reservation_ttl=100.0)
    assert found.open("1", "a", "b", 100.0) == Denied(NO_RESERVATION)


def test_a_circuit_outlives_the_reservation_that_it_came_by() -> None:
    found = with_reservations("b", reservation_ttl=100.0)
    opened = circuit(found, "1")
    found.expire(200.0)
    assert found.count(opened, 10, forward=True) == 10


@pytest.mark.parametrize(
    ("limits", "standing", "asked"),
    [
        ({"max_circuits": 2}, [("a", "b"), ("c", "d")], ("e", "f")),
        ({"max_circuits_per_peer": 2}, [("a", "b"), ("a", "d")], ("a", "f")),
        ({"max_circuits_per_peer": 2}, [("a", "b"), ("c", "b")], ("e", "b")),
        ({"max_circuits_per_peer": 2}, [("a", "b"), ("c", "a")], ("a", "f")),
    ],
    ids=["all", "of the source", "of the destination", "both ways together"],
)
def test_circuits_are_limited(
    limits: dict[str, float], standing: list[tuple[str, str]], asked: tuple[str, str]
) -> None:
    found = with_reservations("a", "b", "d", "f", **limits)
    opened = [circuit(found, str(number), *pair) for number, pair in enumerate(standing)]
    assert found.open("late", *asked, 1.0) == Denied(RESOURCE_LIMIT_EXCEEDED)
    found.close(opened[0])
    assert isinstance(found.open("late", *asked, 1.0), Circuit)


@pytest.mark.parametrize(("per_peer", "per_pair"), [(1, 1), (2, 1), (3, 2), (8, 4)])
def test_two_peers_never_take_all_places_of_each_other(per_peer: int, per_pair: int) -> None:
    found = with_reservations("a", "b", max_circuits_per_peer=per_peer)
    for number in range(per_pair):
        circuit(found, f"own {number}", *(("a", "b") if number % 2 else ("b", "a")))
    for ends in (("a", "b"), ("b", "a")):
        assert found.open("late", *ends, 1.0) == Denied(RESOURCE_LIMIT_EXCEEDED)
    for number in range(per_peer - per_pair):
        circuit(found, f"other {number}", f"other {number}", "b")
    assert found.open("full", "c", "b", 1.0) == Denied(RESOURCE_LIMIT_EXCEEDED)


def test_closing_one_circuit_leaves_another_to_the_same_listener() -> None:
    # py-libp2p 0.8.1 keys circuits by peer (relay/circuit_v2/protocol.py:672): the second would be gone with the first.
    found = with_reservations("b")
    first, second = circuit(found, "1"), circuit(found, "2")
    found.close(first)
    found.close(first)
    assert list(found.circuits.values()) == [second]
    assert found.pairs["a", "b"] == PairTotals(circuits=2, open=1)


# Bytes


def test_the_byte_limit_is_for_each_direction_by_itself_and_exact() -> None:
    found = with_reservations("b", circuit_bytes=100)
    opened = circuit(found, "1")
    assert found.count(opened, 60, forward=True) == 60
    assert found.count(opened, 60, forward=True) == 40
    assert found.count(opened, 1, forward=True) == 0
    assert found.count(opened, 100, forward=False) == 100
    assert found.count(opened, 1, forward=False) == 0
    assert (opened.bytes_forward, opened.bytes_backward) == (100, 100)


def test_no_limit_carries_everything() -> None:
    found = with_reservations("b", circuit_bytes=0)
    opened = circuit(found, "1")
    assert found.count(opened, 1 << 50, forward=True) == 1 << 50


def test_totals_of_a_pair_hold_what_closed_circuits_carried() -> None:
    found = with_reservations("a", "b")
    first = circuit(found, "1")
    found.count(first, 10, forward=True)
    found.count(first, 3, forward=False)
    found.close(first)
    second = circuit(found, "2")
    found.count(second, 5, forward=True)
    back = circuit(found, "3", "b", "a")
    found.count(back, 7, forward=True)
    assert found.pairs["a", "b"] == PairTotals(circuits=2, open=1, bytes_forward=15, bytes_backward=3)
    assert found.pairs["b", "a"] == PairTotals(circuits=1, open=1, bytes_forward=7, bytes_backward=0)


def test_only_pairs_without_a_circuit_are_forgotten_and_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MAX_PAIRS", 2)
    found = with_reservations("b")
    stays = circuit(found, "1", "first")
    for name in ("second", "third", "fourth"):
        found.close(circuit(found, name, name))
    assert found.count(stays, 9, forward=True) == 9
    assert list(found.pairs) == [("fourth", "b"), ("first", "b")]
    assert found.pairs["first", "b"].bytes_forward == 9


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from("ab"), st.sampled_from("xy")),
        st.tuples(st.just("close"), st.integers(0, 9), st.none()),
        st.tuples(st.just("carry"), st.integers(0, 9), st.tuples(st.integers(0, 500), st.booleans())),
        st.tuples(st.just("renew"), st.sampled_from("xy"), st.none()),
        st.tuples(st.just("time"), st.integers(1, 60), st.none()),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from([0, 300]))
def test_totals_never_go_down_and_limits_hold(steps: list[tuple[str, object, object]], limit: int) -> None:
    found = books(max_circuits=4, max_circuits_per_peer=3, circuit_bytes=limit, reservation_ttl=100.0)
    seen: dict[tuple[str, str], tuple[int, int, int]] = {}
    now, number = 0.0, 0
    for kind, first, second in steps:
        standing = list(found.circuits.values())
        if kind == "open":
            number += 1
            found.open(str(number), str(first), str(second), now)
        elif kind == "renew":
            found.reserve(str(first), None, now)
        elif kind == "time":
            now += int(str(first))
        elif standing:
            chosen = standing[int(str(first)) % len(standing)]
            if kind == "close":
                found.close(chosen)
            else:
                wanted, forward = second  # type: ignore[misc]
                assert 0 <= found.count(chosen, wanted, forward=forward) <= wanted
        assert len(found.circuits) <= 4
        for c in found.circuits.values():
            assert not limit or max(c.bytes_forward, c.bytes_backward) <= limit
        for key, totals in found.pairs.items():
            current = (totals.circuits, totals.bytes_forward, totals.bytes_backward)
            assert all(new >= old for new, old in zip(current, seen.get(key, (0, 0, 0)), strict=True))
            assert totals.open == sum((c.src, c.dst) == key for c in found.circuits.values())
            seen[key] = current
