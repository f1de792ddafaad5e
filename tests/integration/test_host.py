"""Two hosts over loopback: streams of every kind, and who is refused."""

from __future__ import annotations

import os

import pytest
import trio

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, OUTGOING
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import DialError, ListenError, NegotiationError, PortBusy, WrongPeer
from kaspa_node.p2p.host import PING_PROTOCOL
from tests.integration.world import ECHO, make_host, read_all, say, send, standing, until, world
from tests.unit.p2p.parties import peer_id

pytestmark = pytest.mark.trio

UNKNOWN = "/test/unknown"


async def test_both_ends_name_the_connection_alike() -> None:
    async with world() as w:
        a, b, ours = await w.pair()
        theirs = await standing(b, a.peer_id)
        assert ours.id == theirs.id
        assert len(bytes.fromhex(ours.id)) == 8
        assert (ours.remote, theirs.remote) == (b.peer_id, a.peer_id)
        assert (ours.route.path, ours.route.direction) == (DIRECT, OUTGOING)
        assert (theirs.route.path, theirs.route.direction) == (DIRECT, INCOMING)
        assert (ours.route.local, ours.route.remote) == (theirs.route.remote, theirs.route.local)


async def test_a_host_dials_from_the_port_it_listens_on() -> None:
    async with world() as w:
        a, _, connection = await w.pair()
        assert connection.route.local == str(a.listener.addresses[0])


@pytest.mark.parametrize("size", [0, 1, 100, 65_507, 65_508, 1 << 20, 5 << 20])
async def test_an_echo_of_every_size(size: int) -> None:
    data = os.urandom(size)
    async with world() as w:
        a, b, _ = await w.pair()
        assert await say(a, b.peer_id, data) == data


async def test_both_ends_open_streams() -> None:
    async with world() as w:
        a, b, _ = await w.pair()
        assert await say(b, a.peer_id, b"from the listener") == b"from the listener"


async def test_many_streams_at_once_that_all_fill_their_windows() -> None:
    # Together they write far more than one connection may have waiting; none may take that for a flood.
    data = os.urandom(256 * 1024)
    echoed: list[bool] = []
    async with world() as w:
        a, b, _ = await w.pair()

        async def one() -> None:
            echoed.append(await say(a, b.peer_id, data) == data)

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(one)
        assert echoed == [True] * 100


async def test_a_stream_has_one_name_on_both_ends() -> None:
    names: list[str] = []

    async def note(stream: Stream) -> None:
        names.append(stream.name)
        stream.close()

    async with world() as w:
        a, b, connection = await w.pair()
        b.protocols.serve("/test/note", note)
        stream = await a.protocols.open(connection, ["/test/note"])
        await stream.write(b"x")
        await read_all(stream)
        assert names == [stream.name]
        assert stream.name.startswith(f"{connection.id}.")


async def test_a_slow_reader_holds_its_writer_and_nobody_else() -> None:
    release = trio.Event()

    async def slow(stream: Stream) -> None:
        await release.wait()
        assert len(await read_all(stream)) == 8 << 20
        stream.close()

    async with world() as w:
        a, b, connection = await w.pair()
        b.protocols.serve("/test/slow", slow)
        stream = await a.protocols.open(connection, ["/test/slow"])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, stream, bytes(8 << 20))
            assert await say(a, b.peer_id, b"meanwhile") == b"meanwhile"
            assert stream.bytes_sent < 2 << 20
            release.set()
        assert await read_all(stream) == b""


async def test_hosts_identify_each_other() -> None:
    async with world() as w:
        a, b, connection = await w.pair()
        await connection.identified.wait()
        about = a.known[b.peer_id]
        assert about.agent == "party/2"
        assert {ECHO, PING_PROTOCOL} <= about.protocols
        assert about.observed == a.listener.addresses[0]


async def test_what_is_known_of_others_is_bounded() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(known=2))
        for number in (3, 4, 5):
            other = await w.host(number)
            connection = await b.dialer.dial(other.listener.addresses[0], other.peer_id)
            await connection.identified.wait()
            if number != 4:
                connection.close("enough")
                await until(lambda number=number: peer_id(number) not in b.connections)  # type: ignore[misc]
        assert set(b.known) == {peer_id(4), peer_id(5)}


async def test_pings_measure_the_round_trip() -> None:
    async with world() as w:
        a, b, connection = await w.pair()
        assert 0 < await connection.ping() < 5
        stream = await a.protocols.open(connection, [PING_PROTOCOL])
        await stream.write(bytes(range(32)))
        assert await stream.read_exactly(32) == bytes(range(32))


async def test_closing_tells_the_remote_and_the_observers() -> None:
    gone: list[str] = []
    async with world() as w:
        a, b, connection = await w.pair()
        a.connections.down.append(lambda c: gone.append(c.remote))
        b.connections.down.append(lambda c: gone.append(c.remote))
        a.close("the test is over")
        await until(lambda: len(gone) == 2)
        assert set(gone) == {a.peer_id, b.peer_id}
        assert connection.reason == "the test is over"
        assert (len(a.connections), len(b.connections)) == (0, 0)


# Refusals


async def test_an_unknown_protocol_is_refused_at_the_first_read() -> None:
    async with world() as w:
        a, b, connection = await w.pair()
        stream = await a.protocols.open(connection, [UNKNOWN])
        await stream.write(b"hello?")
        with pytest.raises(NegotiationError, match="does not speak /test/unknown"):
            await stream.read()
        assert await say(a, b.peer_id, b"still here") == b"still here"


async def test_of_two_protocols_the_one_that_is_spoken_is_chosen() -> None:
    async with world() as w:
        a, _, connection = await w.pair()
        for known in (False, True):
            if known:
                await connection.identified.wait()
            stream = await a.protocols.open(connection, [UNKNOWN, ECHO])
            await send(stream, b"hi")
            assert await read_all(stream) == b"hi"
            assert stream.protocol == ECHO


async def test_two_unknown_protocols_are_refused_at_once() -> None:
    async with world() as w:
        a, _, connection = await w.pair()
        with pytest.raises(NegotiationError):
            await a.protocols.open(connection, [UNKNOWN, UNKNOWN + "/2"])


async def test_a_guard_decides_by_peer_and_its_refusal_looks_like_an_unknown_protocol() -> None:
    async with world() as w:
        a, b, connection = await w.pair()
        c = await w.host(3)
        called: list[str] = []

        async def handler(stream: Stream) -> None:
            called.append(stream.remote)
            stream.close()

        b.protocols.serve("/test/guarded", handler, {c.peer_id}.__contains__)
        stream = await a.protocols.open(connection, ["/test/guarded"])
        await stream.write(b"let me in")
        with pytest.raises(NegotiationError):
            await stream.read()
        stream = await c.protocols.open(await c.dialer.dial(b.listener.addresses[0], b.peer_id), ["/test/guarded"])
        await stream.write(b"x")
        assert await stream.read() == b""
        assert called == [c.peer_id]


async def test_another_peer_at_the_address_is_not_connected_to() -> None:
    async with world() as w:
        a, b = await w.host(1), await w.host(2)
        with pytest.raises(WrongPeer, match=peer_id(3)):
            await a.dialer.dial(b.listener.addresses[0], peer_id(3))
        assert not a.connections.all()
        await until(lambda: not b.connections)


async def test_nobody_listens_there() -> None:
    async with world() as w:
        a, b = await w.host(1), make_host(2)
        at = b.listener.addresses[0]
        b.listener._sockets[0].close()
        with pytest.raises(DialError, match=f"{at}: Connection refused"):
            await a.dialer.dial(at, b.peer_id)


async def test_a_second_dial_between_the_same_two_ports_is_told_apart() -> None:
    async with world() as w:
        a, b, _ = await w.pair()
        with pytest.raises(PortBusy):
            await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        await a.dialer.dial(b.listener.addresses[0], b.peer_id, port=0)


async def test_a_busy_port_is_told_with_a_way_out() -> None:
    async with world() as w:
        b = await w.host(2)
        with pytest.raises(ListenError, match="the port is in use; stop the other program or choose another port"):
            make_host(1, port=b.listener.addresses[0].port)
    with pytest.raises(ListenError, match="no interface of this machine"):
        make_host(3).listener.bind([SocketAddress("203.0.113.77", 4012)])


async def test_a_host_that_is_stopping_takes_no_connection() -> None:
    async with world() as w:
        a, b, connection = await w.pair()
        await w.stop(a)
        assert connection.closed.is_set()
        with pytest.raises(DialError, match="stopping"):
            await a.dialer.dial(b.listener.addresses[0], b.peer_id)
