"""gzip, as kaspad sends and takes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trio

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.config import KaspaConfig
from kaspa_node.kaspa.grpc_options import METHOD
from tests.integration.kaspa_nodes import PATIENCE, meeting
from tests.unit.kaspa.machines import version

pytestmark = pytest.mark.trio

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, PADDED = 0x0, 0x8
LONG = "/" + "long" * 60 + "/"


def data_frames(stream: bytes) -> Iterator[bytes]:
    """Contents of the HTTP/2 DATA frames of one direction of a connection (RFC 9113, section 4.1)."""
    rest = stream.removeprefix(PREFACE)
    while len(rest) >= 9:
        length, kind, flags = int.from_bytes(rest[:3], "big"), rest[3], rest[4]
        assert not flags & PADDED or kind != DATA
        if kind == DATA and length:
            yield rest[9 : 9 + length]
        rest = rest[9 + length :]


def flags(stream: bytes) -> list[int]:
    """The compressed-flag of each gRPC message of one direction."""
    body, found = b"".join(data_frames(stream)), []
    while body:
        found.append(body[0])
        body = body[5 + int.from_bytes(body[1:5], "big") :]
    return found


async def _record(source: trio.SocketStream, sink: trio.SocketStream, record: bytearray) -> None:
    async for data in source:
        record += data
        await sink.send_all(data)


async def test_both_directions_are_compressed(tmp_path: Path) -> None:
    up, down = bytearray(), bytearray()
    config = KaspaConfig(user_agent=LONG), KaspaConfig(user_agent=LONG)
    async with meeting(tmp_path, *config) as nodes, trio.open_nursery() as nursery:
        listener = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        await listener.bind(str(tmp_path / "tap"))
        listener.listen(1)

        async def tap() -> None:
            near, _ = await listener.accept()
            far = await trio.open_unix_socket(nodes.path)
            nursery.start_soon(_record, trio.SocketStream(near), far, up)
            nursery.start_soon(_record, far, trio.SocketStream(near), down)

        nursery.start_soon(tap)
        transport = nodes.client.transport("outgoing", "server")
        session = await nodes.client.service.connect(f"unix:{tmp_path}/tap", transport)
        assert session.user_agent == LONG
        assert await session.ping(3, PATIENCE) > 0
        nursery.cancel_scope.cancel()
    # The first message is Version; grpcio leaves as they are those that compression would make longer.
    assert flags(bytes(up))[0] == flags(bytes(down))[0] == 1


async def test_a_packing_that_kaspad_does_not_know_is_refused_by_name(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        with grpc.insecure_channel(nodes.target, compression=grpc.Compression.Deflate) as channel:
            call = channel.stream_stream(METHOD)(iter([version(userAgent=LONG).SerializeToString()]))
            with pytest.raises(grpc.RpcError):
                await trio.to_thread.run_sync(list, call)
        assert call.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "deflate" in call.details()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_plain_and_compressed_peers_are_understood(tmp_path: Path, compression: grpc.Compression) -> None:
    async with meeting(tmp_path) as nodes:
        with grpc.insecure_channel(nodes.target, compression=compression) as channel:
            said = [version(userAgent=LONG), messages.verack(), messages.ready(), messages.ping(5)]
            call = channel.stream_stream(METHOD)(iter([message.SerializeToString() for message in said]))
            received = await trio.to_thread.run_sync(list, call)
        kinds = [messages.kind(messages.decode(data)) for data in received]
        assert kinds == ["Version", "Verack", "Ready", "RequestAddresses", "Pong"]
        assert (await nodes.server.closed(1)).user_agent == LONG
