"""Hosts over loopback whose remotes are silent, hostile or gone."""

from __future__ import annotations

import socket
from functools import partial

import pytest
import trio

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits
from kaspa_node.p2p.channel import connection as connection_module
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.negotiate import HEADER, token
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import ConnectionLost, DialError, StreamReset
from tests.integration.rude import end_of, pour, raw, upgraded
from tests.integration.world import ECHO, read_all, say, until, world
from tests.unit.p2p.parties import peer_id

pytestmark = pytest.mark.trio

UNKNOWN = "/test/unknown"


async def hang(stream: Stream) -> None:
    """Serve a stream by doing nothing."""
    await trio.sleep_forever()


# Silence


async def test_a_caller_that_says_nothing_is_dropped() -> None:
    async with world() as w:
        b = await w.host(2, limits=Limits(upgrade=0.05))
        await end_of(await raw(b))
        assert not b.connections.all()


async def test_a_listener_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with world() as w:
            a = await w.host(1, limits=Limits(upgrade=0.05))
            with pytest.raises(DialError, match="no secure channel"):
                await a.dialer.dial(SocketAddress(*silent.getsockname()), peer_id(2))


async def test_a_stream_on_which_nothing_is_proposed_is_reset() -> None:
    async with world() as w:
        a, b = await w.host(1), await w.host(2, limits=Limits(negotiate=0.05))
        connection = await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        stream = connection.open_stream()
        await stream.flush_proposal()
        with pytest.raises(StreamReset):
            await stream.read()
        assert not connection.closed.is_set()


async def test_a_remote_that_leaves_a_proposal_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        a, b = await w.host(1, limits=Limits(negotiate=0.05)), await w.host(2)
        monkeypatch.setattr(b.protocols, "answer", hang)
        connection = await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        with pytest.raises(StreamReset, match="no answer to the proposal"):
            await a.protocols.open(connection, [UNKNOWN, ECHO])
        await connection.identified.wait()
        assert not connection.closed.is_set()


async def test_a_connection_that_falls_silent_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "QUIET_SECONDS", 0.02)
    monkeypatch.setattr(connection_module, "SILENT_SECONDS", 0.1)
    reasons: list[str] = []
    async with world() as w:
        b = await w.host(2)
        b.connections.down.append(lambda c: reasons.append(c.reason))
        stream, _ = await upgraded(b)
        await end_of(stream)
        await until(lambda: reasons)
        assert reasons[0].startswith("nothing heard for")


# Ends


async def test_the_end_of_a_connection_wakes_reader_and_writer() -> None:
    outcomes: list[type[BaseException]] = []

    async def expect_end(action: partial[object]) -> None:
        try:
            await action()  # type: ignore[misc]
        except (StreamReset, ConnectionLost) as error:
            outcomes.append(type(error))

    async with world() as w:
        a, b, connection = await w.pair()
        b.protocols.serve("/test/stuck", hang)
        reading = await a.protocols.open(connection, ["/test/stuck"])
        writing = await a.protocols.open(connection, ["/test/stuck"])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_end, partial(reading.read))
            nursery.start_soon(expect_end, partial(writing.write, bytes(64 << 20)))
            await until(lambda: writing.bytes_sent)
            await w.stop(b)
        assert len(outcomes) == 2
        with pytest.raises(ConnectionLost, match="closed by the remote|reset by peer"):
            connection.open_stream()


async def test_a_host_outlives_remotes_that_leave_at_every_moment() -> None:
    async with world() as w:
        a, b = await w.host(1), await w.host(2)
        for passes in range(12):
            for leave in (Connection.close, lambda c, reason: c._pipe.abort()):
                connection = await a.dialer.dial(b.listener.addresses[0], b.peer_id, port=0)
                for _ in range(passes):
                    await trio.lowlevel.checkpoint()
                leave(connection, "gone")
        await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        assert await say(a, b.peer_id, b"alive") == b"alive"


async def test_a_reset_stream_is_noticed_on_the_other_side() -> None:
    async def refuse(stream: Stream) -> None:
        await stream.read()
        stream.reset()

    async with world() as w:
        a, b, connection = await w.pair()
        b.protocols.serve("/test/refuse", refuse)
        stream = await a.protocols.open(connection, ["/test/refuse"])
        await stream.write(b"x")
        with pytest.raises(StreamReset):
            await read_all(stream)
        with pytest.raises(StreamReset):
            await stream.write(b"y")


# Garbage

ZERO_KEY = token(HEADER) + token("/noise") + b"\x00\x20" + bytes(32)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        b"\xff" * 100,
        b"GET / HTTP/1.1\r\nHost: example\r\n" * 10,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
        token(HEADER) + token("/tls/1.0.0") + b"\xff" * 50,
        token(HEADER) + token("/noise") + b"\x00\x00",
        token(HEADER) + token("/noise") + b"\x00\x01x",
        ZERO_KEY,
        token(HEADER) + token("/noise") + b"\x00\x30" + b"\x09" * 48 + b"\x00\x60" + bytes(96),
    ],
    ids=["zeros", "ones", "HTTP", "TLS", "no protocol", "empty key", "short key", "zero key", "keys of noise"],
)
async def test_garbage_ends_only_its_own_connection(garbage: bytes) -> None:
    async with world() as w:
        a, b, connection = await w.pair()
        stream = await raw(b)
        await pour(stream, garbage)
        await end_of(stream)
        assert await say(a, b.peer_id, b"untouched") == b"untouched"
        assert not connection.closed.is_set()
        assert {c.remote for c in b.connections.all()} == {a.peer_id}


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 40, b"\x00\x10" + b"x" * 16, b"\xff" * 70_000], ids=["zeros", "unsealed", "ones"]
)
async def test_garbage_inside_the_secure_channel_ends_only_its_own_connection(garbage: bytes) -> None:
    async with world() as w:
        a, b, _ = await w.pair()
        stream, _ = await upgraded(b)
        await until(lambda: peer_id(5) in b.connections)
        await pour(stream, garbage)
        await end_of(stream)
        await until(lambda: peer_id(5) not in b.connections)
        assert await say(a, b.peer_id, b"untouched") == b"untouched"


async def test_garbage_in_frames_ends_only_its_own_connection() -> None:
    async with world() as w:
        a, b, _ = await w.pair()
        c = await w.host(3)
        connection = await c.dialer.dial(b.listener.addresses[0], b.peer_id)
        connection.mux._out.append(b"\x07" * 24)
        connection.flush()
        await connection.closed.wait()
        assert await say(a, b.peer_id, b"untouched") == b"untouched"


async def test_garbage_on_a_stream_ends_only_that_stream() -> None:
    async with world() as w:
        a, b, connection = await w.pair()
        for protocol in ("/ipfs/id/push/1.0.0", "/ipfs/id/1.0.0", ECHO):
            stream = connection.open_stream()
            await stream.write(token(HEADER) + token(protocol) + b"\xff" * 2000)
            stream.close()
        stream = connection.open_stream()
        await stream.write(b"\xff" * 2000)
        with pytest.raises(StreamReset):
            await read_all(stream)
        assert await say(a, b.peer_id, b"untouched") == b"untouched"
        assert not connection.closed.is_set()
