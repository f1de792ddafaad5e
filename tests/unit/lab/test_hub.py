"""The hub's schedule: where a frame goes, and when."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from lab import hub
from lab.hub import VNET_HEADER, Schedule

IP = b"\x08\x00"
ALL = b"\xff" * 6
A, B, C = b"\x02aaaaa", b"\x02bbbbb", b"\x02ccccc"


def frame(destination: bytes, source: bytes, kind: bytes = IP, payload: bytes = b"") -> bytes:
    return bytes(VNET_HEADER) + destination + source + kind + payload


def schedule(**options: object) -> Schedule:
    made = Schedule({"a": 0.0125, "b": 0.0125, "c": 0.0125, "pub": 0.0125}, frozenset({"pub"}))
    for name, value in options.items():
        setattr(made, name, value)
    # Each address has been heard once, so the hub knows its port.
    for port, address in (("a", A), ("b", B), ("c", C)):
        made.receive(port, frame(ALL, address, hub.ETH_P_ARP), -10.0)
    made.due(-10.0)
    return made


def test_a_frame_is_half_a_round_trip_late() -> None:
    made = schedule()
    made.receive("a", frame(B, A), 1.0)
    assert made.next_due() == 1.025
    assert made.due(1.0249) == []
    assert made.due(1.025) == [("b", frame(B, A))]
    assert made.next_due() is None


def test_a_broadcast_goes_everywhere_but_back() -> None:
    made = schedule()
    made.receive("a", frame(ALL, A), 1.0)
    assert sorted(port for port, _ in made.due(2.0)) == ["b", "c", "pub"]


def test_an_unknown_address_is_looked_for_everywhere() -> None:
    made = schedule()
    made.receive("a", frame(b"\x02ddddd", A), 1.0)
    assert sorted(port for port, _ in made.due(2.0)) == ["b", "c", "pub"]


def test_packages_are_not_delayed_either_way() -> None:
    made = schedule()
    made.receive("pub", frame(A, b"\x02ppppp"), 1.0)
    made.receive("a", frame(b"\x02ppppp", A), 1.0)
    assert [port for port, _ in made.due(1.0)] == ["a", "pub"]


def test_arp_is_not_delayed() -> None:
    made = schedule()
    made.receive("a", frame(B, A, hub.ETH_P_ARP), 1.0)
    assert made.due(1.0) == [("b", frame(B, A, hub.ETH_P_ARP))]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 0.01)), max_size=60), st.integers())
def test_jitter_never_changes_the_order_of_a_pair_of_ports(arrivals: list[tuple[str, float]], seed: int) -> None:
    made = schedule(jitter=0.05, random=random.Random(seed))
    now = 0.0
    sent: list[tuple[str, bytes]] = []
    for number, (port, later) in enumerate(arrivals):
        now += later
        source = A if port == "a" else B
        sent.append((port, frame(C, source, IP, number.to_bytes(2))))
        made.receive(port, sent[-1][1], now)
    left = [each for out, each in made.due(now + 1.0) if out == "c"]
    for port in "ab":
        own = [each for sender, each in sent if sender == port]
        assert [each for each in left if each in own] == own


def test_a_full_hub_loses_frames_and_counts_them() -> None:
    made = schedule()
    for _ in range(hub.QUEUE_LIMIT + 5):
        made.receive("a", frame(B, A), 1.0)
    assert made.dropped == 5
    assert len(made.due(2.0)) == hub.QUEUE_LIMIT
