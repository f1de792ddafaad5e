"""The trio task of a session, over a wire in memory and a clock that jumps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from kaspa_node import networks
from kaspa_node.kaspa import messages
from kaspa_node.kaspa.addresses import NodeAddress
from kaspa_node.kaspa.errors import HandshakeFailed, PingTimeout, SessionClosed
from kaspa_node.kaspa.peer_session import PINGS_UNDER_WAY, KaspaSession
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from tests.unit.kaspa.machines import NETWORK, THEIRS, version
from tests.unit.kaspa.shells import MemoryLink, Node, transport, wire

pytestmark = pytest.mark.trio

LEFT_ADDRESS, RIGHT_ADDRESS = "[fdff::a]:40000", "[fdff::b]:40000"


def nothing(message: KaspadMessage) -> bool:
    return False


class Pair:
    """Two nodes with a session between them."""

    def __init__(self, drop: Callable[[KaspadMessage], bool] = nothing, **right: object) -> None:
        self.left, self.right = Node(), Node(**right)
        self.wire = wire(drop)
        self.outgoing = self.left.session(self.wire[0], transport("outgoing", RIGHT_ADDRESS))
        self.incoming = self.right.session(self.wire[1], transport("incoming", LEFT_ADDRESS))

    async def start(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self.outgoing.run)
        nursery.start_soon(self.incoming.run)
        await self.outgoing.ready()
        await self.incoming.ready()


def is_pong(message: KaspadMessage) -> bool:
    return messages.kind(message) == "Pong"


async def lone_session(node: Node, nursery: trio.Nursery) -> tuple[KaspaSession, MemoryLink]:
    """A running session whose peer is the test."""
    ours, theirs = wire()
    session = node.session(ours)
    nursery.start_soon(session.run)
    await theirs.receive()
    return session, theirs


async def ready_session(node: Node, nursery: trio.Nursery) -> tuple[KaspaSession, MemoryLink]:
    """The same, with its handshake done."""
    session, theirs = await lone_session(node, nursery)
    for message in (version(), messages.verack(), messages.ready()):
        theirs.send(message.SerializeToString())
    await session.ready()
    return session, theirs


async def test_the_milestones_of_a_handshake(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair()
    async with trio.open_nursery() as nursery:
        await pair.start(nursery)
        nursery.cancel_scope.cancel()
    for node in (pair.left, pair.right):
        assert node.journal.names() == [
            "peer.address",
            "kaspa.version.sent",
            "kaspa.version.received",
            "kaspa.verack.received",
            "kaspa.ready.received",
            "peer.connected",
            "peer.disconnected",
        ]
    connected = pair.right.journal.of("peer.connected")
    assert connected == {
        "direction": "incoming",
        "addr": LEFT_ADDRESS,
        "bound": "inbound",
        "count": 1,
        "path": "direct",
        "peer": "12D3KooWPeer",
        "session": "9f3a51c20b77d0e4.3",
        "seconds": pair.incoming.handshake_seconds,
    }
    assert pair.left.journal.of("peer.connected")["bound"] == "outbound"
    received = pair.left.journal.of("kaspa.version.received")
    assert (received["protocol"], received["applied"], received["network"]) == (11, 11, NETWORK)
    assert pair.left.journal.of("peer.address")["addr"] == RIGHT_ADDRESS


async def test_what_a_ready_session_tells_of_itself(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair(protocol_version=9, user_agent="/right/")
    async with trio.open_nursery() as nursery:
        assert pair.outgoing.state == "handshake"
        await pair.start(nursery)
        assert pair.outgoing.state == "ready"
        assert pair.outgoing.applied_protocol == pair.incoming.applied_protocol == 9
        assert pair.outgoing.user_agent == "/right/"
        assert pair.outgoing.handshake_seconds is not None
        await trio.testing.wait_all_tasks_blocked()
        assert pair.outgoing.bytes_sent == pair.incoming.bytes_received > 0
        assert pair.outgoing.messages_sent == pair.incoming.messages_received == 5
        await pair.outgoing.disconnect("enough")
        assert pair.outgoing.closed.is_set()
        assert (pair.outgoing.state, pair.outgoing.close_reason) == ("closed", "enough")
        await pair.incoming.closed.wait()
        assert pair.incoming.close_reason == "the peer ended the stream"


async def test_a_real_address_is_not_called_synthetic(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    session = node.session(wire()[0], transport(address="203.0.113.30:4012"))
    with pytest.raises(HandshakeFailed):
        await failing(session)
    assert "peer.address" not in node.journal.names()


async def failing(session: KaspaSession) -> None:
    """Run a session until its handshake has failed."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        try:
            await session.ready()
        except HandshakeFailed as error:
            failure = error
        await session.closed.wait()
    raise failure


async def test_a_silent_peer_has_eight_seconds(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    ours, theirs = wire()
    session = node.session(ours)
    started = trio.current_time()
    with pytest.raises(HandshakeFailed, match="^timeout expired after 8s waiting for Version and Verack$"):
        await failing(session)
    assert trio.current_time() - started == pytest.approx(8.0)
    assert node.journal.names()[-2:] == ["kaspa.reject.sent", "kaspa.handshake.failed"]
    assert ours.finished
    assert messages.kind((await theirs.receive()).message) == "Version"
    assert messages.kind((await theirs.receive()).message) == "Reject"


async def test_other_network_fails_on_both_sides(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair(network=networks.SIMNET)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.incoming.run)
        with pytest.raises(HandshakeFailed, match="Network mismatch"):
            await failing(pair.outgoing)
        with pytest.raises(HandshakeFailed, match="Network mismatch"):
            await pair.incoming.ready()
    failed = pair.right.journal.of("kaspa.handshake.failed")
    assert failed["bound"] == "inbound"
    assert failed["addr"] == LEFT_ADDRESS


async def test_one_node_twice_over_one_address_is_a_duplicate(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair()
    async with trio.open_nursery() as nursery:
        await pair.start(nursery)
        ours, theirs = wire()
        again = pair.left.session(ours, transport("outgoing", RIGHT_ADDRESS))
        nursery.start_soon(pair.right.session(theirs, transport("incoming", LEFT_ADDRESS)).run)
        with pytest.raises(HandshakeFailed, match="^DUPLICATE_CONNECTION$"):
            await failing(again)
        assert pair.outgoing.state == "ready"
        nursery.cancel_scope.cancel()


async def test_one_node_over_two_addresses_is_two_peers(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair()
    async with trio.open_nursery() as nursery:
        await pair.start(nursery)
        ours, theirs = wire()
        again = pair.left.session(ours, transport("outgoing", "[fdff::bb]:40000"))
        nursery.start_soon(again.run)
        nursery.start_soon(pair.right.session(theirs, transport("incoming", "[fdff::aa]:40000")).run)
        await again.ready()
        assert [fields["count"] for name, fields in pair.left.journal.milestones if name == "peer.connected"] == [1, 2]
        nursery.cancel_scope.cancel()


async def test_a_key_is_free_again_after_the_session(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair()
    async with trio.open_nursery() as nursery:
        await pair.start(nursery)
        await pair.outgoing.disconnect("first")
        await pair.incoming.closed.wait()
        ours, theirs = wire()
        again = pair.left.session(ours, transport("outgoing", RIGHT_ADDRESS))
        nursery.start_soon(again.run)
        nursery.start_soon(pair.right.session(theirs, transport("incoming", LEFT_ADDRESS)).run)
        await again.ready()
        nursery.cancel_scope.cancel()


async def test_a_node_that_meets_itself_is_a_loopback(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    ours, theirs = wire()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.session(theirs, transport("incoming", LEFT_ADDRESS)).run)
        with pytest.raises(HandshakeFailed, match="^LOOPBACK_CONNECTION$"):
            await failing(node.session(ours, transport("outgoing", LEFT_ADDRESS)))


async def test_pings_are_counted_and_timed(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair()
    async with trio.open_nursery() as nursery:
        await pair.start(nursery)
        assert await pair.outgoing.ping(200, 10.0) >= 0.0
        assert pair.left.journal.names().count("kaspa.ping") == 200
        await trio.testing.wait_all_tasks_blocked()
        assert pair.incoming.messages_received == 5 + 200
        nursery.cancel_scope.cancel()


async def test_pings_that_are_not_answered_in_time(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    async with trio.open_nursery() as nursery:
        session, theirs = await ready_session(node, nursery)
        with pytest.raises(PingTimeout, match="^0 of 100 pings were answered within 5 s$"):
            await session.ping(100, 5.0)
        unanswered = [(await theirs.receive()).message for _ in range(theirs._from.statistics().current_buffer_used)]
        nonces = [message.ping.nonce for message in unanswered if messages.kind(message) == "Ping"]
        assert len(nonces) == PINGS_UNDER_WAY
        # A late answer is an answer still, for whoever looks at it.
        theirs.send(messages.pong(nonces[0], 0).SerializeToString())
        await trio.testing.wait_all_tasks_blocked()
        assert session.state == "ready"
        nursery.cancel_scope.cancel()


async def test_pings_of_a_session_that_ends(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair()
    async with trio.open_nursery() as nursery:
        await pair.start(nursery)

        async def cut() -> None:
            await trio.sleep(1)
            pair.wire[0].end()

        pair.wire[1].other = MemoryLink()
        nursery.start_soon(cut)
        with pytest.raises(SessionClosed, match="after 0 of 3 pings: the peer ended the stream"):
            await pair.outgoing.ping(3, 60.0)
        with pytest.raises(SessionClosed, match="state closed: the peer ended the stream"):
            await pair.outgoing.ping(1, 60.0)
        nursery.cancel_scope.cancel()


async def test_the_periodic_ping_and_a_peer_that_freezes(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair(drop=is_pong)
    async with trio.open_nursery() as nursery:
        await pair.start(nursery)
        ready_at = trio.current_time()
        await pair.incoming.closed.wait()
        assert trio.current_time() - ready_at == pytest.approx(240.0)
        assert pair.incoming.close_reason == "timeout expired after 120s waiting for Pong"
        await pair.outgoing.closed.wait()
        assert pair.outgoing.close_reason == "timeout expired after 120s waiting for Pong"
        assert "kaspa.reject.received" in pair.left.journal.names()
        nursery.cancel_scope.cancel()


async def test_a_session_lives_on_answered_pings(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair()
    async with trio.open_nursery() as nursery:
        await pair.start(nursery)
        await trio.sleep(3600)
        assert pair.outgoing.state == pair.incoming.state == "ready"
        assert pair.left.journal.names().count("kaspa.ping") >= 29
        nursery.cancel_scope.cancel()


async def test_bytes_that_are_no_message_end_the_session(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    async with trio.open_nursery() as nursery:
        session, theirs = await lone_session(node, nursery)
        theirs.send = lambda data: theirs.other.arrive(data)  # type: ignore[method-assign]
        theirs.send(b"\xff\xff")
        with pytest.raises(HandshakeFailed, match="no kaspad p2p message"):
            await session.ready()


async def test_a_peer_that_does_not_read_is_not_read(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    async with trio.open_nursery() as nursery:
        session, theirs = await ready_session(node, nursery)
        await trio.testing.wait_all_tasks_blocked()
        link = theirs.other
        link.congested = True
        before = link.received
        for nonce in range(100):
            theirs.send(messages.ping(nonce).SerializeToString())
        await trio.testing.wait_all_tasks_blocked()
        # The message for which it was waiting already is the last one.
        assert link.received <= before + 1
        link.congested = False
        link.relief.set()
        await trio.testing.wait_all_tasks_blocked()
        assert link.received == before + 100
        nursery.cancel_scope.cancel()


async def test_time_goes_on_while_the_peer_does_not_read(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    async with trio.open_nursery() as nursery:
        session, theirs = await lone_session(node, nursery)
        theirs.other.congested = True
        await session.closed.wait()
        assert session.close_reason is not None
        assert session.close_reason.startswith("timeout expired")


async def test_cancelled_sessions_say_so_and_let_their_link_finish(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair()
    async with trio.open_nursery() as nursery:
        await pair.start(nursery)
        nursery.cancel_scope.cancel()
    assert pair.outgoing.close_reason == "this node is shutting down"
    assert pair.wire[0].finished
    assert pair.outgoing.closed.is_set()


async def test_routable_addresses_of_the_peer_are_kept_and_told_on(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    told = {"addressList": [{"ip": bytes([8, 8, 8, 8]), "port": 1}, {"ip": bytes([10, 0, 0, 1]), "port": 1}]}
    listens = {"ip": bytes([9, 9, 9, 9]), "port": 16111}
    async with trio.open_nursery() as nursery:
        session, theirs = await lone_session(node, nursery)
        for message in (version(id=THEIRS, address=listens), messages.verack(), messages.ready()):
            theirs.send(message.SerializeToString())
        await session.ready()
        theirs.send(KaspadMessage(addresses=told).SerializeToString())
        await trio.testing.wait_all_tasks_blocked()
        assert {str(address) for address in node.hub.addresses()} == {"8.8.8.8:1", "9.9.9.9:16111"}
        assert all(isinstance(address, NodeAddress) for address in node.hub.addresses())
        nursery.cancel_scope.cancel()


async def test_a_message_without_a_flow_gets_a_debug_line(autojump_clock: trio.testing.MockClock) -> None:
    node = Node()
    async with trio.open_nursery() as nursery:
        session, theirs = await lone_session(node, nursery)
        for message in (version(), messages.verack(), messages.ready(), KaspadMessage(invRelayBlock={})):
            theirs.send(message.SerializeToString())
        await session.ready()
        await trio.testing.wait_all_tasks_blocked()
        assert any("ignored a InvRelayBlock message of 0 bytes" in line for line in node.journal.lines)
        nursery.cancel_scope.cancel()
