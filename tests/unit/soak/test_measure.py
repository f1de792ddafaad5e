"""What a soak takes for a difference."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.soak.measure import FEW, MEMORY_KIB, Snapshot, Use, differences, grown

PAIR = ("client", "server")
USE = Use(pid=1, descriptors=20, tasks=30, threads=9, memory=60_000, connections={"203.0.113.10": 1})
BEFORE = Snapshot({"client": USE}, {"relay-a": 0}, {PAIR: "direct"})


def with_use(**changed: object) -> Snapshot:
    return replace(BEFORE, uses={"client": replace(USE, **changed)})  # type: ignore[arg-type]


def test_another_process_that_holds_as_much_is_no_difference() -> None:
    after = with_use(pid=2, descriptors=20 + FEW, tasks=30 + FEW, threads=10, memory=60_000 + MEMORY_KIB)
    assert differences(BEFORE, after) == []
    assert grown(BEFORE, after) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (replace(BEFORE, circuits={"relay-a": 1}), "relay-a has 1 circuits, before 0"),
        (replace(BEFORE, paths={PAIR: "relayed"}), "the session of client and server is relayed, before direct"),
        (replace(BEFORE, wrong=["no session"]), "no session"),
        (replace(BEFORE, uses={}), "client does not run"),
        (with_use(descriptors=21 + FEW), f"client has {21 + FEW} descriptors, before 20"),
        (with_use(tasks=31 + FEW), f"client has {31 + FEW} tasks, before 30"),
        (
            with_use(connections={"203.0.113.10": 2}),
            "client has the connections {'203.0.113.10': 2}, before {'203.0.113.10': 1}",
        ),
    ],
)
def test_each_thing_that_is_left_over_is_said(after: Snapshot, said: str) -> None:
    assert differences(BEFORE, after) == [said]


def test_memory_that_has_grown_is_said() -> None:
    after = with_use(memory=60_001 + MEMORY_KIB)
    assert grown(BEFORE, after) == ["client has 66.6 MiB, before 58.6"]


def test_a_direct_connection_from_a_spare_port_has_one_to_a_relay_and_no_more() -> None:
    def with_relay_connections(number: int) -> Snapshot:
        uses = {"client": replace(USE, connections={"203.0.113.10": number, "203.0.113.30": 1})}
        return replace(BEFORE, uses=uses)

    before = with_relay_connections(1)
    assert differences(before, replace(with_relay_connections(2), spares={"client": 1})) == []
    assert len(differences(before, replace(with_relay_connections(3), spares={"client": 1}))) == 1
    assert len(differences(before, replace(with_relay_connections(1), spares={"client": 1}))) == 1


def test_a_relay_has_at_most_a_connection_for_each_spare_port() -> None:
    before, after = (replace(BEFORE, uses={"relay-a": replace(USE, connections={"203.0.113.30": n})}) for n in (3, 4))
    assert differences(before, replace(after, spares={"client": 1})) == []
    assert len(differences(before, after)) == 1
