"""Three programs under fire: garbage, too much, too slow, nothing, on every socket that they listen on.

Measured from outside: a live session answers its pings, who did wrong is hung up on, and the memory stays as it was.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from kaspa_node import milestones
from kaspa_node.kaspa.config import KaspaConfig
from kaspa_node.node.backends import embedded
from kaspa_node.node.backends.embedded import EmbeddedBackend
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.negotiate import HEADER, token
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import P2PError
from kaspa_node.p2p.host import PING_PROTOCOL, Host
from tests.integration.programs import Program, programs
from tests.integration.rude import end_of, pour
from tests.integration.world import PATIENCE, WatchedJournal, make_host, read_all, until, world
from tests.unit.p2p.parties import peer_id

pytestmark = [pytest.mark.trio, pytest.mark.timeout(120)]

CLIENT, SERVER, GUEST, STRANGER, RELAY = 1, 2, 3, 4, 9
KASPA = "/kaspad/transport/1.0.0"
MEBIBYTE = 1 << 20
# Each kind of caller has an address of its own: whoever owes work for one flood waits longer in the next.
TALKERS, SILENT = "127.0.0.8", "127.0.0.9"
# What an allocator may keep of a flood that is over; each flood below sends or holds a multiple of it.
SLACK = 24 * MEBIBYTE
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class Session:
    """A relay, a server and a client with a session on the direct path."""

    relay: Program
    server: Program
    client: Program
    session: str

    async def answers(self) -> None:
        """The session answers pings, and each program its control socket."""
        reply = await trio.to_thread.run_sync(
            lambda: self.client.ask("exercise", session=self.session, pings=20, timeout=PATIENCE)
        )
        assert reply["pings"] == 20
        for program in (self.relay, self.server):
            assert (await trio.to_thread.run_sync(program.status))["peer_id"] == program.peer_id


@pytest.fixture(scope="module")
def standing() -> Iterator[Session]:
    with programs() as more:
        known = ",".join(map(peer_id, (CLIENT, SERVER)))
        relay = more.start("relay", "relay", RELAY, allow=known)
        at = relay.address()
        allow = ",".join(map(peer_id, (CLIENT, GUEST)))
        server = more.start("server", "peer", SERVER, relays=at, allow=allow)
        server.seen(milestones.RESERVATION_ACCEPTED)
        client = more.start("client", "peer", CLIENT, relays=at, remotes=f"server={peer_id(SERVER)}")
        client.seen(milestones.PEER_CONNECTED, path="direct")
        reply = client.ask("session", remote="server", timeout=25)
        assert reply["path"] == "direct"
        yield Session(relay, server, client, reply["session"])


def place(program: Program) -> SocketAddress:
    """Where a program listens."""
    words = program.address().split("/")
    return SocketAddress(words[2], int(words[4]))


def resident(program: Program) -> int:
    """Bytes of memory that a program's process has."""
    pages = Path(f"/proc/{program.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def memory_stays(*names: Program) -> Iterator[None]:
    """What runs in the block leaves the programs as large as they were."""
    before = [resident(program) for program in names]
    yield
    grown = [resident(program) - size for program, size in zip(names, before, strict=True)]
    assert max(grown) < SLACK, f"grown by {[f'{size / MEBIBYTE:.0f} MiB' for size in grown]}"


async def call(program: Program, address: str) -> trio.SocketStream:
    """A TCP connection to a program from this loopback address."""
    return await trio.open_tcp_stream(*place(program), local_address=address)


@asynccontextmanager
async def guest(number: int, program: Program) -> AsyncIterator[tuple[Host, Connection]]:
    """A host of our own with a connection to a program."""
    host = make_host(number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        await host.running.wait()
        yield host, await host.dialer.dial(place(program), program.peer_id, port=0)
        nursery.cancel_scope.cancel()


TOO_LONG = {
    "a token without end": b"\xff\xff\xff\xff\x7f" + b"x" * MEBIBYTE,
    "tokens without end": token("/x") * 100_000,
    "a handshake message of 64 KiB": token(HEADER) + token("/noise") + b"\xff\xff" + os.urandom(MEBIBYTE),
    "garbage": os.urandom(4 * MEBIBYTE),
    "HTTP": b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + b"x" * MEBIBYTE,
}


@pytest.mark.parametrize("what", TOO_LONG)
async def test_a_stream_of_nonsense_ends_and_nothing_else(standing: Session, what: str) -> None:
    for program in (standing.relay, standing.server):
        with memory_stays(standing.relay, standing.server), trio.fail_after(PATIENCE):
            for _ in range(20):
                stream = await call(program, TALKERS)
                await pour(stream, TOO_LONG[what])
                await end_of(stream)
            await standing.answers()


@pytest.mark.parametrize("first", [b"", token(HEADER)[:5], token(HEADER) + token("/noise") + b"\x00"], ids=len)
async def test_callers_that_go_silent_block_nobody(standing: Session, first: bytes) -> None:
    """Of two hundred from one address only the last few are waited for, and a newcomer is served meanwhile."""
    for program in (standing.relay, standing.server):
        with memory_stays(standing.relay, standing.server), trio.fail_after(PATIENCE):
            held = [await call(program, SILENT) for _ in range(200)]
            for stream in held[:150]:
                await pour_some(stream, first)
                await end_of(stream)
            async with guest(GUEST, program) as (_, connection):
                assert await connection.ping() > 0
            await standing.answers()
            for stream in held:
                await stream.aclose()


async def pour_some(stream: trio.SocketStream, data: bytes) -> None:
    """Send the data and stay, where the other end has not left."""
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        return


@pytest.mark.parametrize("protocol", ["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", PING_PROTOCOL, "/unknown"])
async def test_a_stranger_that_pours_into_streams_is_not_held_in_memory(standing: Session, protocol: str) -> None:
    """It reads no answers, and its connection has hundreds of streams; once too much of it waits, it is hung up on."""
    for program in (standing.relay, standing.server):
        with memory_stays(standing.relay, standing.server), trio.fail_after(PATIENCE):
            async with guest(STRANGER, program) as (host, connection), trio.open_nursery() as nursery:
                for _ in range(200):
                    stream = connection.open_stream()
                    stream.propose(protocol)
                    nursery.start_soon(pour_into, stream, bytes(MEBIBYTE))
                with suppress(P2PError):
                    await connection.ping()
                await standing.answers()
                nursery.cancel_scope.cancel()


async def pour_into(stream: Stream, data: bytes) -> None:
    """Write, as far as the other end takes it."""
    try:
        await stream.write(data)
    except P2PError:
        return


# Inside the gRPC stream

UNFIT = {
    "garbage": os.urandom(1 << 18),
    "zeros": bytes(1 << 18),
    "a frame longer than agreed": PREFACE + SETTINGS + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(1 << 18),
    "headers that are none": PREFACE + SETTINGS + b"\x00\x01\x00\x01\x04\x00\x00\x00\x01" + b"\xff" * 256,
    "a frame of no stream": PREFACE + SETTINGS + b"\x00\x00\x05\x00\x00\x00\x00\x00\x00hello",
}

WHAT = ["silence", "half a preface", "a preface", "settings", *UNFIT]


@pytest.mark.parametrize("what", UNFIT)
async def test_nonsense_in_the_grpc_stream_ends_that_stream(standing: Session, what: str) -> None:
    with memory_stays(standing.server), trio.fail_after(PATIENCE):
        async with guest(GUEST, standing.server) as (host, connection):
            for _ in range(20):
                stream = await host.protocols.open(connection, [KASPA])
                await pour_into(stream, UNFIT[what])
            await standing.answers()
            assert await connection.ping() > 0
        await standing.answers()


@pytest.mark.parametrize("first", [b"", PREFACE[:10], PREFACE, PREFACE + SETTINGS, *UNFIT.values()], ids=WHAT)
async def test_whatever_is_said_a_stream_without_a_call_ends_in_its_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: bytes
) -> None:
    """grpcio has time limits for that, and misses some: so has the bridge under it."""
    monkeypatch.setattr(embedded, "CALL_SECONDS", 0.2)
    async with world() as w:
        a, b, connection = await w.pair()
        backend = EmbeddedBackend(b, KaspaConfig(), lambda peer: True, tmp_path, WatchedJournal())
        async with trio.open_nursery() as nursery:
            await backend.start(nursery)
            stream = await a.protocols.open(connection, [KASPA])
            await stream.write(first)
            with suppress(P2PError):
                await read_all(stream)
            stream.close()
            await until(lambda: not backend.streams)
            assert not connection.closed.is_set()
            nursery.cancel_scope.cancel()


async def test_silent_grpc_streams_block_nobody(standing: Session) -> None:
    with memory_stays(standing.server), trio.fail_after(PATIENCE):
        async with guest(GUEST, standing.server) as (host, connection):
            for first in (b"", PREFACE[:10], PREFACE + SETTINGS) * 20:
                stream = await host.protocols.open(connection, [KASPA])
                await stream.flush_proposal()
                await pour_into(stream, first)
            await standing.answers()
            fresh = await trio.to_thread.run_sync(lambda: standing.server.status()["sessions"])
            assert standing.session in [row["session"] for row in fresh]


# The control socket


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\x00\xff" * 1000 + b"\n", b"the line is not JSON"),
        (b"x" * MEBIBYTE, b"the line exceeds 65536 bytes"),
        (b"[" * 60_000 + b"\n", b"the line is not JSON"),
        (b'{"do":["status"]}\n', b"does not know how to"),
        (b'{"do":"status"}\n{"do":"status"}\n', b"more than one line"),
    ],
    ids=["garbage", "oversized", "deep", "another type", "two"],
)
async def test_nonsense_on_the_control_socket_is_told_so(standing: Session, sent: bytes, said: bytes) -> None:
    for program in (standing.relay, standing.server):
        with memory_stays(program), trio.fail_after(PATIENCE):
            for _ in range(50):
                stream = await trio.open_unix_socket(program.control)
                async with stream:
                    await pour_some(stream, sent)
                    answer = b""
                    try:
                        async for chunk in stream:
                            answer += chunk
                    except trio.BrokenResourceError:
                        assert len(sent) > 1 << 16
                    assert said in answer or len(sent) > 1 << 16
            await standing.answers()


async def test_silent_clients_of_the_control_socket_block_nobody(standing: Session) -> None:
    held = [await trio.open_unix_socket(standing.server.control) for _ in range(40)]
    await standing.answers()
    for stream in held:
        await stream.aclose()
