"""Hole punches over loopback that fail, are refused or meet a path that drops full-size packets."""

from __future__ import annotations

import socket

import pytest
import trio
from libp2p.identity.identify.pb.identify_pb2 import Identify

from kaspa_node import milestones, reasons
from kaspa_node.p2p import identify, tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED
from kaspa_node.p2p.channel.pipe import SocketPipe
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import DialError, PunchFailed, StreamReset
from kaspa_node.p2p.host import DEFAULT_LIMITS
from kaspa_node.p2p.punch import attempts, exchange, simultaneous
from kaspa_node.p2p.relay import circuit
from kaspa_node.p2p.wire import delimited
from tests.integration.punching import punched, relayed
from tests.integration.world import Party, Relay, read_all, say, standing, until, world
from tests.unit.p2p.parties import peer_id

pytestmark = pytest.mark.trio


# Paths that drop full-size packets


class BlackHole:
    """From now on TCP segments of more than 1,300 bytes between the parties are lost, and all that follows them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, relay: Relay) -> None:
        send, self._port, self.lost = SocketPipe.try_send, relay.host.listener.addresses[0].port, 0
        self._dead = set[SocketPipe]()

        def swallow(pipe: SocketPipe, data: bytes | memoryview) -> int:
            try:
                ends = (pipe._socket.getsockname()[1], pipe._socket.getpeername()[1])
            except OSError:
                return send(pipe, data)
            segment = min(len(data), pipe._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
            if self._port not in ends and (segment > 1300 or pipe in self._dead):
                self.lost += 1
                self._dead.add(pipe)
                return len(data)
            return send(pipe, data)

        monkeypatch.setattr(SocketPipe, "try_send", swallow)


async def test_behind_a_path_that_drops_full_size_packets_the_next_attempt_uses_small_segments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simultaneous, "HANDSHAKE_SECONDS", 0.3)
    monkeypatch.setattr(simultaneous, "WINDOW_SECONDS", 0.5)
    async with world() as w:
        relay = await w.relay()
        hole = BlackHole(monkeypatch, relay)
        a = await w.party(1, relay, reserve=False)
        b = await w.party(2, relay)
        connection = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        direct = await punched(a, connection)
        assert hole.lost
        assert await say(a.host, b.peer_id, bytes(200_000), DIRECT) == bytes(200_000)
        for party in (a, b):
            assert (await party.journal.seen(milestones.PUNCH_FAILED))["code"] == reasons.HANDSHAKE_TIMEOUT
            succeeded = await party.journal.seen(milestones.PUNCH_SUCCEEDED, conn=direct.id)
            assert succeeded["segment"] == tcp.SMALL_SEGMENT
            assert party.puncher is not None
            assert [each["segment"] for each in party.puncher.status()] == [tcp.SMALL_SEGMENT]
        direct.close("the next one")
        connection.close("the next one")
        await until(lambda: a.peer_id not in b.host.connections)
        again = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        await punched(a, again)
        assert a.puncher is not None
        assert a.puncher.progress(again).attempts == 1


@pytest.mark.parametrize("told", ["by the socket", "by the session"])
async def test_after_a_young_direct_connection_that_carried_nothing_segments_are_small(told: str) -> None:
    async with world() as w:
        a, b, connection = await relayed(w)
        direct = await punched(a, connection)
        assert a.puncher is not None
        if told == "by the socket":
            direct.starved = True
        else:
            a.puncher.starved(b.peer_id)
        direct.close("Connection timed out")
        connection.close("the next one")
        await until(lambda: a.peer_id not in b.host.connections and b.peer_id not in a.host.connections)
        again = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        await punched(a, again)
        assert (a.puncher.progress(again).attempts, a.puncher.progress(again).segment) == (1, tcp.SMALL_SEGMENT)


# Failure


async def test_a_listener_that_does_not_punch_is_given_up_after_its_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SILENCE_SECONDS", 0.05)
    async with world() as w:
        a, b, connection = await relayed(w, second_punches=False)
        with pytest.raises(DialError, match="did not begin a hole punch"):
            await punched(a, connection)
        assert await say(a.host, b.peer_id, b"relayed") == b"relayed"


async def test_a_dialer_that_does_not_punch_is_asked_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "REFUSED_PAUSES", (0.01, 0.01))
    async with world() as w:
        a, b, _ = await relayed(w, first_punches=False)
        theirs = await standing(b.host, a.peer_id, RELAYED)
        assert b.puncher is not None
        with pytest.raises(PunchFailed, match="does not want a hole punch") as failed:
            await b.puncher.direct(theirs)
        assert failed.value.reason.code == reasons.REFUSED_BY_REMOTE
        assert b.puncher.progress(theirs).attempts == 0
        assert b.journal.all(milestones.PUNCH_FAILED) == []


async def test_a_remote_that_speaks_the_protocol_a_little_later_is_punched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "REFUSED_PAUSES", (0.05, 0.05, 0.05, 3600.0))
    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False)
        b = await w.party(2, relay)
        assert a.puncher is not None
        a.puncher.decline(b.peer_id, True)
        connection = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        await refused(b, a)
        a.puncher.decline(b.peer_id, False)
        direct = await punched(a, connection)
        assert direct.route.path == DIRECT
        assert a.puncher.progress(connection).attempts == 1


async def refused(b: Party, a: Party) -> None:
    """Until `a` has refused a question of `b`."""
    theirs = await standing(b.host, a.peer_id, RELAYED)
    assert b.puncher is not None
    puncher = b.puncher
    await until(lambda: puncher.progress(theirs).reason is not None)


async def test_an_identify_push_that_names_the_protocol_begins_the_punch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "REFUSED_PAUSES", (3600.0,))
    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False)
        b = await w.party(2, relay)
        assert a.puncher is not None
        a.puncher.decline(b.peer_id, True)
        connection = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        await refused(b, a)
        a.puncher.decline(b.peer_id, False)
        push = await a.host.protocols.open(connection, [identify.PUSH_PROTOCOL])
        about = Identify(protocols=[exchange.PROTOCOL]).SerializeToString()
        await push.write(delimited(about))
        assert (await punched(a, connection)).route.path == DIRECT


async def test_the_end_of_the_relayed_connection_ends_the_wait() -> None:
    async with world() as w:
        a, _, connection = await relayed(w, second_punches=False)
        outcome: list[str] = []

        async def wait() -> None:
            try:
                await punched(a, connection)
            except DialError as error:
                outcome.append(str(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            connection.close("the relay is gone")
        assert len(outcome) == 1


@pytest.mark.parametrize("message", [b"", b"\xff\xff", b"\x08\xac\x02"], ids=["empty", "garbage", "SYNC"])
async def test_a_hostile_initiator_costs_one_attempt(message: bytes) -> None:
    async with world() as w:
        a, b, connection = await relayed(w, second_punches=False)
        theirs = await standing(b.host, a.peer_id, RELAYED)
        stream = await b.host.protocols.open(theirs, [exchange.PROTOCOL])
        await stream.write(delimited(message))
        failed = await a.journal.seen(milestones.PUNCH_FAILED)
        assert failed["attempt"] == 1
        assert await say(a.host, b.peer_id, b"relayed") == b"relayed"
        assert not connection.closed.is_set()


async def test_a_hostile_responder_costs_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAUSE_SECONDS", 0.0)

    async def nonsense(stream: Stream) -> None:
        await stream.write(b"\x02\xff\xff")

    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False, punches=False)
        a.host.protocols.serve(exchange.PROTOCOL, nonsense)
        b = await w.party(2, relay)
        await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        await b.journal.seen(milestones.PUNCH_FAILED, count=3)
        assert await say(a.host, b.peer_id, b"relayed") == b"relayed"


async def test_a_remote_that_punches_without_end_is_answered_three_times() -> None:
    async with world() as w:
        a, b, connection = await relayed(w, second_punches=False)
        theirs = await standing(b.host, a.peer_id, RELAYED)
        for number in range(1, 4):
            stream = await b.host.protocols.open(theirs, [exchange.PROTOCOL])
            await stream.write(delimited(b""))
            await a.journal.seen(milestones.PUNCH_FAILED, count=number)
        stream = await b.host.protocols.open(theirs, [exchange.PROTOCOL])
        await stream.write(delimited(b""))
        with pytest.raises(StreamReset):
            await read_all(stream)
        assert len(a.journal.all(milestones.PUNCH_FAILED)) == 3
        assert a.puncher is not None
        assert a.puncher.progress(connection).attempts == 3


@pytest.mark.parametrize("role", [exchange.SERVER, exchange.CLIENT])
async def test_one_that_connects_and_says_nothing_does_not_hold_up_the_attempt(
    monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setattr(simultaneous, "WINDOW_SECONDS", 0.1)
    monkeypatch.setattr(simultaneous, "HANDSHAKE_SECONDS", 0.2)
    async with world() as w:
        a = await w.host(1)
        with socket.create_server(("127.0.0.1", 0)) as mute:
            target = SocketAddress(*mute.getsockname())
            plan = exchange.Dial(trio.current_time(), role, (target,), 0.05)
            with trio.fail_after(DEFAULT_LIMITS.upgrade), pytest.raises(PunchFailed, match="no handshake") as failed:
                await simultaneous.dial(a, peer_id(2), plan)
        assert failed.value.reason.code == reasons.HANDSHAKE_TIMEOUT
