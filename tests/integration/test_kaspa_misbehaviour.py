"""Peers that say nothing, nonsense or too much, and that nobody else notices."""

from __future__ import annotations

import queue
import socket
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trio

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.budget import BURST, SESSION
from kaspa_node.kaspa.config import KaspaConfig
from kaspa_node.kaspa.grpc_options import METHOD
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from tests.integration.kaspa_nodes import PATIENCE, Meeting, meeting
from tests.unit.kaspa.machines import version

pytestmark = pytest.mark.trio


class RawPeer:
    """A caller that sends what the test wants. Its methods wait in threads."""

    def __init__(self, target: str, compression: grpc.Compression = grpc.Compression.NoCompression) -> None:
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(target, options=options, compression=compression)
        self.call = self.open(self._requests())

    def open(self, requests: Iterator[bytes]) -> grpc.Call:
        """A call over the connection."""
        return self.channel.stream_stream(METHOD)(requests, timeout=PATIENCE)

    def _requests(self) -> Iterator[bytes]:
        while (data := self._outgoing.get()) is not None:
            yield data

    def send(self, *what: KaspadMessage | bytes) -> None:
        for item in what:
            self._outgoing.put(item if isinstance(item, bytes) else item.SerializeToString())

    async def receive(self) -> KaspadMessage:
        """The node's next message."""
        return messages.decode(await trio.to_thread.run_sync(next, self.call))

    async def rest(self) -> list[KaspadMessage]:
        """All messages until the node ends the call."""
        return [messages.decode(data) for data in await trio.to_thread.run_sync(self._drain)]

    def _drain(self) -> list[bytes]:
        received = []
        try:
            for data in self.call:
                received.append(data)
        except grpc.RpcError:
            return received
        return received

    async def get_ready(self) -> None:
        """Complete the handshake."""
        self.send(version(), messages.verack(), messages.ready())
        while messages.kind(await self.receive()) != "RequestAddresses":
            pass

    def close(self) -> None:
        self._outgoing.put(None)
        self.channel.close()


@pytest.fixture
def peers() -> Iterator[list[RawPeer]]:
    """Raw peers to be closed after the test."""
    opened: list[RawPeer] = []
    yield opened
    for peer in opened:
        peer.close()


async def silent_peer(nodes: Meeting, peers: list[RawPeer]) -> RawPeer:
    """A peer whose stream is open and who has said nothing."""
    peer = RawPeer(nodes.target)
    peers.append(peer)
    assert messages.kind(await peer.receive()) == "Version"
    return peer


async def test_silent_peers_block_nobody(tmp_path: Path, peers: list[RawPeer]) -> None:
    async with meeting(tmp_path) as nodes:
        for _ in range(40):
            await silent_peer(nodes, peers)
        assert (await nodes.connect()).state == "ready"
        states = [session.state for session in nodes.server.service.sessions.values()]
        assert states.count("handshake") >= 40


async def test_a_silent_peer_is_told_and_closed(tmp_path: Path, peers: list[RawPeer]) -> None:
    async with meeting(tmp_path, server=KaspaConfig(version_timeout=0.2)) as nodes:
        peer = await silent_peer(nodes, peers)
        (reject,) = await peer.rest()
        assert reject.reject.reason == "timeout expired after 0.2s waiting for Version and Verack"
        assert (await nodes.server.closed(1)).state == "closed"


async def test_more_peers_than_allowed_are_refused_at_once(tmp_path: Path, peers: list[RawPeer]) -> None:
    async with meeting(tmp_path, server=KaspaConfig(max_inbound=3)) as nodes:
        for _ in range(3):
            await silent_peer(nodes, peers)
        fourth = RawPeer(nodes.target)
        peers.append(fourth)
        assert await fourth.rest() == [messages.reject("too many inbound sessions: 3 at a time")]
        assert fourth.call.code() is grpc.StatusCode.OK
        assert nodes.server.service.refused == 1
        assert nodes.server.journal.of("kaspa.session.refused")["count"] == 1
        peers[0].close()
        await nodes.server.closed(1)
        await silent_peer(nodes, peers)


async def test_one_peer_id_gets_its_share_and_no_more(tmp_path: Path, peers: list[RawPeer]) -> None:
    """An allowed peer with as many node ids as it likes leaves room for the others."""
    async with meeting(tmp_path, server=KaspaConfig(max_inbound=20, max_inbound_per_peer=2)) as nodes:
        nodes.server.caller = "greedy"
        for _ in range(2):
            await silent_peer(nodes, peers)
        third = RawPeer(nodes.target)
        peers.append(third)
        assert await third.rest() == [messages.reject("too many sessions with this peer: 2 at a time")]
        nodes.server.caller = "honest"
        assert (await nodes.connect()).state == "ready"
        nodes.server.caller = "greedy"
        peers[0].close()
        await nodes.server.closed(1)
        await silent_peer(nodes, peers)


async def test_sessions_in_quick_succession_are_refused_after_some(tmp_path: Path, peers: list[RawPeer]) -> None:
    """A peer that opens and drops sessions costs a call, a handshake and lines of the log each time."""
    allowed = int(BURST / SESSION)
    async with meeting(tmp_path) as nodes:
        nodes.server.caller = "restless"
        for number in range(allowed):
            peer = await silent_peer(nodes, peers)
            peer.close()
            await nodes.server.closed(number + 1)
        said = []
        # Time goes by meanwhile, and each tenth of a second is good for one more session.
        while not said or messages.kind(said[0]) == "Version":
            peer = RawPeer(nodes.target)
            peers.append(peer)
            said = [await peer.receive()]
            peer.close()
        assert said == [messages.reject("too many sessions in a short time; try again later")]
        nodes.server.caller = "honest"
        assert (await nodes.connect()).state == "ready"


async def test_garbage_on_the_socket_disturbs_nobody(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        session = await nodes.connect()
        for garbage in (
            b"\x00" * 1000,
            b"GET / HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 5000,
        ):
            stream = await trio.open_unix_socket(nodes.path)
            async with stream:
                await stream.send_all(garbage)
                with trio.move_on_after(PATIENCE) as limit:
                    try:
                        while await stream.receive_some():
                            pass
                    except trio.BrokenResourceError:
                        pass
                assert not limit.cancelled_caught
        assert await session.ping(10, PATIENCE) > 0
        assert len(nodes.server.service.sessions) == 1


async def test_garbage_in_the_stream_ends_that_session_only(tmp_path: Path, peers: list[RawPeer]) -> None:
    async with meeting(tmp_path) as nodes:
        session = await nodes.connect()
        peer = await silent_peer(nodes, peers)
        peer.send(b"\xff\xff\xff")
        assert await peer.rest() == []
        gone = await nodes.server.closed(1)
        assert gone.close_reason == "received bytes that are no kaspad p2p message"
        assert await session.ping(10, PATIENCE) > 0


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (KaspadMessage(), "received kaspad p2p message with empty payload"),
        (version(), "got Version after the handshake"),
        (messages.verack(), "got Verack after the handshake"),
        (messages.ready(), "got Ready after the handshake"),
        (messages.pong(1, 0), "nonce mismatch between ping and pong"),
        (messages.reject("go away"), "go away"),
    ],
)
async def test_what_disconnects(tmp_path: Path, peers: list[RawPeer], message: KaspadMessage, reason: str) -> None:
    async with meeting(tmp_path) as nodes:
        peer = await silent_peer(nodes, peers)
        await peer.get_ready()
        peer.send(message)
        await peer.rest()
        assert (await nodes.server.closed(1)).close_reason == reason


async def test_a_message_that_is_too_long_ends_the_session(tmp_path: Path, peers: list[RawPeer]) -> None:
    async with meeting(tmp_path, server=KaspaConfig(max_message_bytes=100_000)) as nodes:
        session = await nodes.connect()
        peer = await silent_peer(nodes, peers)
        await peer.get_ready()
        peer.send(KaspadMessage(transaction={"payload": bytes(100_000)}))
        await peer.rest()
        assert (await nodes.server.closed(1)).state == "closed"
        assert await session.ping(10, PATIENCE) > 0


async def test_a_message_of_many_megabytes_is_taken(tmp_path: Path, peers: list[RawPeer]) -> None:
    async with meeting(tmp_path) as nodes:
        peer = await silent_peer(nodes, peers)
        await peer.get_ready()
        # kaspad's largest: 131,072 ids of 32 bytes.
        ids = [{"bytes": number.to_bytes(32, "big")} for number in range(131_072)]
        peer.send(KaspadMessage(invTransactions={"ids": ids}), messages.ping(7))
        while messages.kind(answer := await peer.receive()) != "Pong":
            pass
        assert answer.pong.nonce == 7
        assert (await nodes.server.session()).bytes_received > 4 << 20


async def test_a_second_call_over_one_connection_waits_for_the_first(tmp_path: Path, peers: list[RawPeer]) -> None:
    """One connection is one peer: its session is not doubled."""
    async with meeting(tmp_path) as nodes:
        peer = await silent_peer(nodes, peers)
        second = peer.open(iter(()))
        await peer.get_ready()
        assert len(nodes.server.service.sessions) == 1
        second.cancel()


async def test_a_cancelled_call_ends_the_session(tmp_path: Path, peers: list[RawPeer]) -> None:
    async with meeting(tmp_path) as nodes:
        peer = await silent_peer(nodes, peers)
        peer.call.cancel()
        gone = await nodes.server.closed(1)
        # grpcio's server tells the two apart only when the reset comes before the end of the messages.
        assert gone.close_reason in {
            "the peer reset the stream, or its connection is gone",
            "the peer ended the stream",
        }


async def test_calls_that_are_cancelled_at_once_leave_no_session(tmp_path: Path, peers: list[RawPeer]) -> None:
    """Whether the cancel comes before, while or after the call is admitted."""
    async with meeting(tmp_path, server=KaspaConfig(version_timeout=PATIENCE)) as nodes:
        opened = 20
        for _ in range(opened):
            peer = RawPeer(nodes.target)
            peers.append(peer)
            peer.call.cancel()
        await silent_peer(nodes, peers)
        while len(nodes.server.service.sessions) != 1:
            await trio.lowlevel.checkpoint()
        assert len(nodes.server.done) <= opened


async def test_a_connection_that_breaks_ends_the_session(tmp_path: Path) -> None:
    """A peer that is killed says nothing: the socket just ends."""
    program = textwrap.dedent(
        """
        import os, sys, threading, grpc

        def requests():
            threading.Event().wait()
            yield b""

        next(grpc.insecure_channel(sys.argv[1]).stream_stream("/protowire.P2P/MessageStream")(requests()))
        os.kill(os.getpid(), 9)
        """
    )
    async with meeting(tmp_path) as nodes:
        command = [sys.executable, "-c", program, nodes.target]
        await trio.run_process(command, check=False)
        assert (await nodes.server.closed(1)).state == "closed"


async def test_a_node_whose_peer_vanishes_hears_of_it(tmp_path: Path) -> None:
    path = str(tmp_path / "mute")
    async with meeting(tmp_path) as nodes:
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(path)
            mute.listen(1)
        transport = nodes.client.transport("outgoing", "mute")
        with pytest.raises(Exception, match="the peer does not answer, or its connection is gone"):
            await nodes.client.service.connect(f"unix:{path}", transport)
