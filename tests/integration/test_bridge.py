"""A gRPC connection's bytes over a stream: content, ends of every kind, and backends that are not there."""

from __future__ import annotations

import os
import socket
import stat
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from kaspa_node import bridge
from kaspa_node.bridge import Offer, deliver
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import StreamReset
from kaspa_node.p2p.host import Host
from tests.integration.world import World, read_all, until, world

pytestmark = pytest.mark.trio

PROTOCOL = "/test/bridged"
# Abstract names belong to the whole machine: two runs of the tests must not meet.
CALLER = f"kaspa-node-test-{os.getpid()}"

Backend = Callable[[trio.SocketStream], Awaitable[None]]


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short place for sockets: pytest's own directories are too deep for some systems' limit."""
    with tempfile.TemporaryDirectory(prefix="kn") as found:
        yield Path(found)


class Bridged:
    """A caller's socket on one host, the backend that it reaches on the other, and what happened on the way."""

    def __init__(self, w: World, a: Host, b: Host, stream: Stream, offer: Offer, caller: trio.SocketStream) -> None:
        self.world, self.a, self.b, self.stream, self.offer, self.caller = w, a, b, stream, offer, caller

    async def rest(self) -> bytes:
        """All that the caller still gets; an abrupt end counts as one."""
        return await rest_of(self.caller)


async def rest_of(local: trio.SocketStream) -> bytes:
    """Everything until the end of a local socket."""
    pieces = []
    with suppress(trio.BrokenResourceError):
        while more := await local.receive_some():
            pieces.append(more)
    return b"".join(pieces)


@asynccontextmanager
async def bridged(directory: Path, backend: Backend) -> AsyncIterator[Bridged]:
    """A caller that is connected through two hosts to `backend`."""
    path = directory / "backend.sock"
    async with world() as w:
        a, b, connection = await w.pair()
        listener = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        await listener.bind(str(path))
        listener.listen()

        async def accept() -> None:
            while True:
                local, _ = await listener.accept()
                b.start_soon(backend, trio.SocketStream(local))

        b.start_soon(accept)

        async def take(stream: Stream) -> None:
            with suppress(OSError):
                await deliver(stream, path, CALLER)

        b.protocols.serve(PROTOCOL, take)
        stream = await a.protocols.open(connection, [PROTOCOL])
        offer = Offer(directory, stream)
        await offer.open()
        a.start_soon(offer.run)
        with listener:
            async with await trio.open_unix_socket(offer.target.removeprefix("unix:")) as caller:
                yield Bridged(w, a, b, stream, offer, caller)


def abruptly(local: trio.SocketStream) -> None:
    """Close as the kernel does for a killed program that has not read everything."""
    local.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    local.socket.close()


async def echo(local: trio.SocketStream) -> None:
    """Send everything back, then end."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for data in local:
            await local.send_all(data)
        await local.send_eof()
    await local.aclose()


# Content


@pytest.mark.parametrize("size", [1, 1 << 20, 5 << 20])
async def test_every_byte_comes_back_and_the_half_close_arrives(directory: Path, size: int) -> None:
    data = os.urandom(size)
    async with bridged(directory, echo) as way:

        async def send() -> None:
            await way.caller.send_all(data)
            await way.caller.send_eof()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            assert await way.rest() == data
        await until(lambda: way.stream.connection.mux.streams.get(1) is None)
        assert not way.stream.connection.closed.is_set()


async def test_an_answer_that_comes_after_the_callers_end(directory: Path) -> None:
    async def reply_at_the_end(local: trio.SocketStream) -> None:
        asked = await rest_of(local)
        await local.send_all(asked.upper())
        await local.aclose()

    async with bridged(directory, reply_at_the_end) as way:
        await way.caller.send_all(b"question")
        await way.caller.send_eof()
        assert await way.rest() == b"QUESTION"


async def test_a_slow_backend_holds_the_caller(directory: Path) -> None:
    release = trio.Event()
    taken: list[int] = []

    async def slow(local: trio.SocketStream) -> None:
        await release.wait()
        taken.append(len(await rest_of(local)))
        await local.aclose()

    async with bridged(directory, slow) as way:
        sent = trio.Event()

        async def send() -> None:
            await way.caller.send_all(bytes(32 << 20))
            await way.caller.send_eof()
            sent.set()

        way.a.start_soon(send)
        await until(lambda: way.stream.bytes_sent > 1 << 19)
        await trio.testing.wait_all_tasks_blocked()
        assert way.stream.bytes_sent < 8 << 20
        assert not sent.is_set()
        release.set()
        await way.rest()
        assert taken == [32 << 20]


async def test_the_backend_knows_the_caller_by_its_abstract_name(directory: Path) -> None:
    names: list[object] = []

    async def note(local: trio.SocketStream) -> None:
        names.append(local.socket.getpeername())
        await local.aclose()

    async with bridged(directory, note) as way:
        await way.rest()
        assert names == [b"\0" + CALLER.encode()]


# Ends


async def test_a_killed_caller_is_noticed_by_the_backend(directory: Path) -> None:
    over = trio.Event()

    async def wait(local: trio.SocketStream) -> None:
        await rest_of(local)
        over.set()
        await local.aclose()

    async with bridged(directory, wait) as way:
        await way.caller.send_all(b"hello")
        await until(lambda: way.stream.bytes_sent >= 5)
        abruptly(way.caller)
        await over.wait()


@pytest.mark.parametrize("kill", [abruptly, lambda local: local.socket.close()], ids=["abrupt", "in order"])
async def test_a_killed_backend_is_noticed_by_the_caller(
    directory: Path, kill: Callable[[trio.SocketStream], None]
) -> None:
    async def die(local: trio.SocketStream) -> None:
        await local.receive_some()
        kill(local)

    async with bridged(directory, die) as way:
        await way.caller.send_all(b"hello")
        assert await way.rest() == b""


async def test_the_end_of_the_connection_is_noticed_at_both_ends(directory: Path) -> None:
    reached, over = trio.Event(), trio.Event()

    async def wait(local: trio.SocketStream) -> None:
        await local.receive_some()
        reached.set()
        await rest_of(local)
        over.set()

    async with bridged(directory, wait) as way:
        await way.caller.send_all(b"hello")
        await reached.wait()
        way.stream.connection.close("the network is gone")
        assert await way.rest() == b""
        await over.wait()


async def test_a_frozen_backend_does_not_keep_what_its_caller_has_ended(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "GRACE_SECONDS", 0.05)

    async def frozen(local: trio.SocketStream) -> None:
        async with local:
            await trio.sleep_forever()

    async with bridged(directory, frozen) as way:
        await way.caller.send_all(b"hello")
        await way.caller.send_eof()
        assert await way.rest() == b""
        await until(lambda: not way.stream.connection.mux.streams)


# What is not there


async def test_a_backend_that_is_not_there_resets_the_stream(directory: Path) -> None:
    problems: list[OSError] = []

    async def take(stream: Stream) -> None:
        with pytest.raises(OSError, match="No such file") as caught:
            await deliver(stream, directory / "nobody.sock", CALLER)
        problems.append(caught.value)

    async with world() as w:
        a, b, connection = await w.pair()
        b.protocols.serve(PROTOCOL, take)
        stream = await a.protocols.open(connection, [PROTOCOL])
        await stream.write(b"hello")
        with pytest.raises(StreamReset):
            await read_all(stream)
        assert len(problems) == 1
        assert not connection.closed.is_set()


async def test_a_caller_name_that_is_taken_resets_the_stream(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind("\0" + CALLER)
        async with bridged(directory, echo) as way:
            await way.caller.send_all(b"hello")
            assert await way.rest() == b""


async def test_an_offer_that_nobody_takes_is_withdrawn(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "ACCEPT_SECONDS", 0.05)
    async with world() as w:
        a, b, connection = await w.pair()
        b.protocols.serve(PROTOCOL, hang)
        stream = await a.protocols.open(connection, [PROTOCOL])
        offer = Offer(directory, stream)
        await offer.open()
        await offer.run()
        assert os.listdir(directory) == []
        with pytest.raises(StreamReset):
            await stream.write(b"x")


async def hang(stream: Stream) -> None:
    """Serve a stream by doing nothing."""
    await trio.sleep_forever()


async def test_an_offer_is_for_its_owner_and_for_one_caller(directory: Path) -> None:
    async with world() as w:
        a, b, connection = await w.pair()
        b.protocols.serve(PROTOCOL, hang)
        offer = Offer(directory, await a.protocols.open(connection, [PROTOCOL]))
        await offer.open()
        path = offer.target.removeprefix("unix:")
        assert [str(directory / name) for name in os.listdir(directory)] == [path]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        a.start_soon(offer.run)
        async with await trio.open_unix_socket(path):
            await until(lambda: not os.path.exists(path))


async def test_an_offer_in_a_directory_that_is_not_there(directory: Path) -> None:
    async with world() as w:
        a, b, connection = await w.pair()
        b.protocols.serve(PROTOCOL, hang)
        stream = await a.protocols.open(connection, [PROTOCOL])
        with pytest.raises(OSError, match="No such file"):
            await Offer(directory / "missing", stream).open()
        with pytest.raises(StreamReset):
            await stream.write(b"x")


async def test_a_backend_that_neither_reads_nor_ends_does_not_outlive_the_stream(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "GRACE_SECONDS", 0.0)
    path, delivered = directory / "stuck.sock", trio.Event()

    async def take(stream: Stream) -> None:
        await deliver(stream, path, CALLER)
        delivered.set()

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stuck:
        stuck.bind(str(path))
        stuck.listen()
        async with world() as w:
            a, b, connection = await w.pair()
            b.protocols.serve(PROTOCOL, take)
            stream = await a.protocols.open(connection, [PROTOCOL])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pour, stream)
                await until(lambda: not stream._state.writable)
                nursery.cancel_scope.cancel()
            assert not delivered.is_set()
            stream.reset()
            await delivered.wait()


async def pour(stream: Stream) -> None:
    """Write more than windows and buffers take."""
    await stream.write(bytes(64 << 20))
