"""A relay over loopback: no peer takes the places of others, and none asks without end."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage

from kaspa_node import milestones
from kaspa_node.p2p import budget
from kaspa_node.p2p.budget import Rate
from kaspa_node.p2p.errors import P2PError, RelayRefused, StreamReset
from kaspa_node.p2p.relay import messages as wire
from kaspa_node.p2p.relay import service
from kaspa_node.p2p.relay.ledger import RelayLimits
from tests.integration.test_relay import by_hand, dial, hop, joined
from tests.integration.world import read_all, say, world

pytestmark = pytest.mark.trio


async def test_a_circuit_on_which_nothing_moves_ends_and_a_used_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "IDLE_SECONDS", 0.5)
    async with world() as w:
        relay, source, sink = await by_hand(w, RelayLimits())
        for _ in range(20):
            with trio.move_on_after(0.1):
                await relay.journal.seen(milestones.RELAY_CIRCUIT_CLOSED)
            await source.write(b"x")
        assert await sink.read_exactly(20) == b"x" * 20
        with pytest.raises(StreamReset):
            await read_all(source)
        closed = await relay.journal.seen(milestones.RELAY_CIRCUIT_CLOSED)
        assert closed["reason"] == "nothing moved for 0 s"
        assert relay.ledger.circuits == {}


async def test_one_source_leaves_places_of_a_destination_to_others() -> None:
    async with world() as w:
        relay, a, b = await joined(w)
        mine = [await dial(a, b) for _ in range(4)]
        with pytest.raises(RelayRefused, match=wire.RESOURCE_LIMIT_EXCEEDED):
            await dial(a, b)
        c = await w.party(3, relay, reserve=False, punches=False)
        await dial(c, b)
        assert await say(c.host, b.peer_id, b"served") == b"served"
        assert not any(connection.closed.is_set() for connection in mine)


async def test_a_peer_that_asks_without_end_is_slowed_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "SERVED", Rate(share=0.2, saved=0.1, patience=0.3, all_receives=False))
    async with world() as w:
        relay, a, _ = await joined(w)
        connection = await a.links[0].connection()
        request = HopMessage(type=HopMessage.RESERVE)
        with suppress(P2PError):
            for _ in range(100):
                await hop(a, request)
        await connection.closed.wait()
        assert 5 <= len(relay.journal.all(milestones.RELAY_RESERVED, peer=a.peer_id)) <= 15
