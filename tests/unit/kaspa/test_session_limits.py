"""A session that is flooded, that ends under an exercise, or that is one too many."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.budget import BURST, RATE
from kaspa_node.kaspa.errors import DuplicateConnection, SessionClosed
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from tests.unit.kaspa.shells import Node, wire
from tests.unit.kaspa.test_peer_session import ready_session

pytestmark = pytest.mark.trio


async def test_a_flood_is_slowed_down_and_nothing_of_it_is_lost(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    async with trio.open_nursery() as nursery:
        session, theirs = await ready_session(node, nursery)
        flood = int(BURST) + 10 * int(RATE)
        started = trio.current_time()
        for nonce in range(flood):
            theirs.send(messages.ping(nonce).SerializeToString())
        theirs.send(messages.reject("enough").SerializeToString())
        await session.closed.wait()
        assert session.messages_received == flood + 4
        assert 9.9 < trio.current_time() - started < 12
        assert [line for line in node.journal.lines if "slowing down" in line] == [
            "P2P, slowing down peer [fdff::1]:40000: it sends more than 1000 messages a second"
        ]
        nursery.cancel_scope.cancel()


async def test_an_exercise_whose_session_ends_between_two_pings(autojump_clock: trio.testing.MockClock) -> None:
    """More pings than are sent at once: the session ends after an answer, before the next ping goes out."""
    node = Node()
    async with trio.open_nursery() as nursery:
        session, theirs = await ready_session(node, nursery)

        async def answer_once_and_leave() -> None:
            while messages.kind(ping := (await theirs.receive()).message) != "Ping":
                pass
            assert isinstance(ping, KaspadMessage)
            theirs.send(messages.pong(ping.ping.nonce, 0).SerializeToString())
            theirs.send(messages.reject("enough").SerializeToString())

        nursery.start_soon(answer_once_and_leave)
        with pytest.raises(SessionClosed, match="^the session ended after 1 of 160 pings: enough$"):
            await session.ping(160, 5.0)


async def test_a_duplicate_is_an_error_of_its_own(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever keeps the remote has to know it from every other refusal: there is a session already."""
    ours, theirs = wire()
    session = Node().session(ours)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        theirs.send(messages.reject("DUPLICATE_CONNECTION").SerializeToString())
        with pytest.raises(DuplicateConnection) as caught:
            await session.ready()
    assert caught.value.reason == "DUPLICATE_CONNECTION"
