"""Floods over loopback: silent callers and strangers by the dozen, and everybody else is served as ever."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest
import trio
from libp2p.identity.identify.pb.identify_pb2 import Identify

from kaspa_node.journal import LOGGED_ONE_BY_ONE
from kaspa_node.p2p import budget, identify
from kaspa_node.p2p.admission import Limits
from kaspa_node.p2p.budget import CALL, HANDSHAKE, TRIFLE, Rate
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.yamux import INITIAL_WINDOW, MAX_INCOMING_STREAMS
from kaspa_node.p2p.errors import P2PError, StreamReset
from kaspa_node.p2p.host import PING_PROTOCOL, Host
from kaspa_node.p2p.wire import delimited
from tests.integration.world import ECHO, World, read_all, say, standing, until, world
from tests.unit.kaspa.shells import RecordingJournal
from tests.unit.p2p.parties import peer_id

pytestmark = pytest.mark.trio

HOUR = 3600.0
"""A limit that a test does not live to see."""


async def silent(host: Host, ip: str) -> trio.SocketStream:
    """A connection from the address `ip` on which nothing is said."""
    at = host.listener.addresses[0]
    sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    await sock.bind((ip, 0))
    await sock.connect((at.ip, at.port))
    return trio.SocketStream(sock)


async def was_ended(stream: trio.SocketStream) -> None:
    """Wait until the host has hung up."""
    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()


def is_open(stream: trio.SocketStream) -> bool:
    """Whether nothing was heard of the other end."""
    try:
        stream.socket._sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)  # type: ignore[attr-defined]
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    return False


def refuse(host: Host, served: set[str]) -> None:
    """Have the host serve these peers only."""

    def look(connection: Connection) -> None:
        if connection.remote not in served:
            host.strangers.close_later(connection, "not on the list")

    host.connections.up.append(look)


async def test_silent_callers_of_one_address_displace_each_other_and_block_nobody() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(upgrade=HOUR, handshakes=8, handshakes_each=3))
        early = await w.host(1)
        live = await early.dialer.dial(b.listener.addresses[0], b.peer_id)
        flood = [await silent(b, "127.0.0.9") for _ in range(20)]
        for stream in flood[:17]:
            await was_ended(stream)
        assert [is_open(stream) for stream in flood[17:]] == [True] * 3
        for number, ip in ((3, "127.0.0.1"), (4, "127.0.0.1")):
            late = await w.host(number)
            assert (await late.dialer.dial(b.listener.addresses[0], b.peer_id)).route.remote.startswith(ip)
            assert await say(late, b.peer_id, b"served") == b"served"
        assert await say(early, b.peer_id, b"untouched") == b"untouched"
        assert not live.closed.is_set()
        assert [is_open(stream) for stream in flood[17:]] == [True] * 3


async def test_silent_callers_of_many_addresses_do_not_lock_anybody_out() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(upgrade=HOUR, handshakes=6, handshakes_each=3))
        flood = [await silent(b, f"127.0.0.{number}") for number in range(10, 22)]
        for stream in flood[:6]:
            await was_ended(stream)
        a = await w.host(1)
        await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        assert await say(a, b.peer_id, b"served") == b"served"


async def test_a_handshake_that_takes_too_long_gives_its_place_back() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(upgrade=0.05, handshakes=1, handshakes_each=1))
        for _ in range(3):
            await was_ended(await silent(b, "127.0.0.9"))
        assert len(b.listener._handshakes) == 0


async def dial_all(w: World, b: Host, numbers: range) -> list[Connection]:
    """Connections of new hosts to `b`, each in its place before the next one comes."""
    connections = []
    for number in numbers:
        host = await w.host(number)
        connections.append(await host.dialer.dial(b.listener.addresses[0], b.peer_id))
        await standing(b, host.peer_id)
    return connections


async def test_strangers_make_room_for_each_other_and_leave_that_of_peers_alone() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(stranger=HOUR, connections=2, strangers=3, strangers_each=3))
        refuse(b, {peer_id(1)})
        strangers = await dial_all(w, b, range(10, 15))
        (served,) = await dial_all(w, b, range(1, 2))
        strangers += await dial_all(w, b, range(15, 17))
        for connection in strangers[:4]:
            await connection.closed.wait()
        assert [c.closed.is_set() for c in strangers[4:]] == [False] * 3
        assert not served.closed.is_set()


async def test_a_host_that_has_its_number_of_peers_takes_no_more() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(connections=2))
        first = await dial_all(w, b, range(3, 5))
        late = await w.host(5)
        with pytest.raises(P2PError):
            await late.dialer.dial(b.listener.addresses[0], b.peer_id)
        first[0].close("makes room")
        await until(lambda: len(b.connections) == 1)
        await late.dialer.dial(b.listener.addresses[0], b.peer_id)


async def test_a_stranger_is_let_go_after_its_time() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(stranger=0.05))
        refuse(b, set())
        a = await w.host(1)
        connection = await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        await connection.closed.wait()
        await until(lambda: not b.connections)
        assert len(b.strangers) == 0


async def test_a_stranger_may_ask_little_and_make_us_hold_little() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(stranger=HOUR, stranger_streams=3))
        refuse(b, set())
        a = await w.host(1)
        connection = await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        await connection.identified.wait()
        held = [await a.protocols.open(connection, [PING_PROTOCOL]) for _ in range(3)]
        for stream in held:
            await stream.flush_proposal()
        fourth = await a.protocols.open(connection, [ECHO])
        await fourth.flush_proposal()
        with pytest.raises(StreamReset):
            await read_all(fourth)
        theirs = await standing(b, a.peer_id)
        assert [s.window for s in theirs.mux.streams.values() if not s.opened_here] == [INITIAL_WINDOW] * 3


async def test_strangers_that_come_and_go_make_few_lines() -> None:
    async with world() as w:
        b = await w.host(2)
        refuse(b, set())
        a = await w.host(1)
        for _ in range(60):
            connection = await a.dialer.dial(b.listener.addresses[0], b.peer_id, port=0)
            connection.close("enough")
            await until(lambda: a.peer_id not in b.connections)
        lines = [fields for name, fields in journal_of(b).milestones if name == "connection.refused"]
        assert [fields["count"] for fields in lines] == [*range(1, LOGGED_ONE_BY_ONE + 1)]
        assert {fields["peer"] for fields in lines} == {a.peer_id}


def journal_of(host: Host) -> RecordingJournal:
    """What a host has told the log."""
    journal = host.offenders._journal
    assert isinstance(journal, RecordingJournal)
    return journal


async def test_an_address_that_calls_without_end_is_hung_up_on_and_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "STRANGER", Rate(share=1e-6, saved=20 * CALL - TRIFLE, patience=1.0, all_receives=True))
    async with world() as w:
        b = await w.host(2, limits=Limits(upgrade=HOUR))
        flood = [await silent(b, "127.0.0.9") for _ in range(20)]
        await until(lambda: len(b.listener._handshakes) == 20)
        for _ in range(12):
            with suppress(OSError):
                await silent(b, "127.0.0.9")
        await until(lambda: b.offenders.count >= 10)
        assert all(map(is_open, flood))
        lines = [fields for name, fields in journal_of(b).milestones if name == "work.refused"]
        assert [(line["who"], line["what"], line["count"]) for line in lines] == [
            ("127.0.0.9", "a call", 1),
            ("127.0.0.9", "a call", 10),
        ]
        a = await w.host(1)
        await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        assert await say(a, b.peer_id, b"served") == b"served"


async def test_handshakes_of_one_address_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        budget, "STRANGER", Rate(share=0.02, saved=HANDSHAKE + 10 * CALL, patience=1.0, all_receives=True)
    )
    async with world() as w:
        b = await w.host(2)
        a = await w.host(1)
        start = trio.current_time()
        for _ in range(4):
            await a.dialer.dial(b.listener.addresses[0], b.peer_id, port=0)
        # Two were saved up; the others wait, a tenth of a second each.
        assert trio.current_time() - start > 0.15


async def test_a_peer_that_connects_without_end_loses_its_own_oldest_connection() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(connections_each=3))
        other = (await dial_all(w, b, range(3, 4)))[0]
        a = await w.host(1)
        mine = [await a.dialer.dial(b.listener.addresses[0], b.peer_id, port=0) for _ in range(5)]
        await mine[1].closed.wait()
        await until(lambda: len(b.connections.of(a.peer_id)) == 3)
        assert [c.closed.is_set() for c in mine] == [True, True, False, False, False]
        assert not other.closed.is_set()


async def test_the_streams_of_a_peer_are_counted_on_all_its_connections() -> None:
    async with world() as w:
        b = await w.host(2)
        a = await w.host(1)
        connections = [await a.dialer.dial(b.listener.addresses[0], b.peer_id, port=0) for _ in range(2)]
        for connection in connections:
            await connection.identified.wait()
        await until(lambda: b.connections.streams_of(a.peer_id) == 0)
        streams = []
        for number in range(MAX_INCOMING_STREAMS + 10):
            stream = await a.protocols.open(connections[number % 2], [ECHO])
            await stream.flush_proposal()
            streams.append(stream)
        for connection in connections:
            await connection.ping()
        assert b.connections.streams_of(a.peer_id) == MAX_INCOMING_STREAMS


async def test_who_asks_for_too_much_is_ended_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "SERVED", Rate(share=0.01, saved=0.001, patience=0.1, all_receives=False))
    async with world() as w:
        b = await w.host(2)
        a = await w.host(1)
        connection = await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        with suppress(P2PError):
            for _ in range(1000):
                (await a.protocols.open(connection, [PING_PROTOCOL])).close()
                await connection.ping()
        await until(lambda: a.peer_id not in b.connections)
        lines = [fields for name, fields in journal_of(b).milestones if name == "work.refused"]
        assert lines == [{"what": "a connection", "who": a.peer_id, "count": 1}]


async def test_what_strangers_say_of_themselves_is_not_kept() -> None:
    async with world() as w:
        b = await w.host(2)
        refuse(b, {peer_id(1)})
        for number in range(10, 14):
            host = await w.host(number)
            connection = await host.dialer.dial(b.listener.addresses[0], b.peer_id)
            await connection.identified.wait()
            stream = await host.protocols.open(connection, [identify.PUSH_PROTOCOL])
            await stream.write(delimited(Identify(agent_version="stranger").SerializeToString()))
            stream.close()
            await connection.ping()
        served = await w.host(1)
        await served.dialer.dial(b.listener.addresses[0], b.peer_id)
        await until(lambda: b.known)
        assert set(b.known) == {peer_id(1)}
