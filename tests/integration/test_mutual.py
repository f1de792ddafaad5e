"""Two peers that dial each other: one session, whoever comes first, and no attempt after the other."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from kaspa_node import milestones
from tests.integration.programs import PATIENCE, Program, Programs, programs
from tests.unit.p2p.parties import peer_id

A, B, RELAY = 1, 2, 9


def start(more: Programs, name: str, number: int, other: int, relay: Program) -> Program:
    """A peer that dials the other one, and lets it in."""
    return more.start(
        name,
        "peer",
        number,
        relays=relay.address(),
        remotes=f"other={peer_id(other)}",
        allow=peer_id(other),
        network="simnet",
    )


def states(*peers: Program) -> list[str]:
    return [peer.status()["remotes"][0]["state"] for peer in peers]


def ready(peer: Program) -> set[str]:
    return {row["session"] for row in peer.status()["sessions"] if row["state"] == "ready"}


def until(condition: Callable[[], bool]) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline


@pytest.mark.parametrize("first_waits", [True, False], ids=["one after the other", "both at once"])
def test_there_is_one_session_and_peace(first_waits: bool) -> None:
    with programs() as more:
        relay = more.start("relay", "relay", RELAY, allow="any")
        a = start(more, "a", A, B, relay)
        if first_waits:
            a.seen(milestones.RESERVATION_ACCEPTED)
        b = start(more, "b", B, A, relay)
        for peer in (a, b):
            peer.seen(milestones.PEER_CONNECTED)
        until(lambda: states(a, b) == ["direct", "direct"])
        # Dials that find no reservation do not count: how many there are is a matter of how fast the programs start.
        opened = [len(peer.all(milestones.CIRCUIT_OUTBOUND)) for peer in (a, b)]
        assert max(opened) <= 3
        ours, theirs = (ready(peer) for peer in (a, b))
        assert ours == theirs
        assert len(ours) == 1
        # The one that goes comes back, and again there is one session.
        b.stop()
        since = b.mark()
        b.start()
        b.seen(milestones.PEER_CONNECTED, since)
        until(lambda: states(a, b) == ["direct", "direct"])


def test_a_remote_that_has_a_session_when_it_is_added_is_not_dialed() -> None:
    with programs() as more:
        relay = more.start("relay", "relay", RELAY, allow="any")
        file: dict[str, object] = {"relays": [relay.address()], "allow": [peer_id(B)]}
        a = more.configured("a", "peer", A, {"network": "simnet"}, file)
        a.seen(milestones.RESERVATION_ACCEPTED)
        start(more, "b", B, A, relay)
        a.seen(milestones.PEER_CONNECTED)
        with a.file.open("a") as more_settings:
            more_settings.write(f'\n[[remotes]]\nname = "other"\npeer_id = "{peer_id(B)}"\n')
        assert a.ask("reload")["applied"] == ["remotes"]
        assert [(row["state"], row["reason"]) for row in a.status()["remotes"]] == [("direct", None)]
        # A reload that changes nothing for the remote comes after what the first one began.
        a.ask("reload")
        assert a.all(milestones.DIAL_STARTED) == []
