"""A server program and a remote whose Kaspa messages are the test's: what is served, and what ends a session."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kaspa_node import milestones
from kaspa_node.bridge import Offer
from kaspa_node.errors import RequestFailed
from kaspa_node.kaspa import messages
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.errors import NegotiationError
from kaspa_node.p2p.host import Host
from tests.integration.programs import Program, programs
from tests.integration.test_kaspa_misbehaviour import RawPeer
from tests.integration.world import until, world
from tests.unit.kaspa.machines import version
from tests.unit.p2p.parties import peer_id

pytestmark = pytest.mark.trio

SERVER, FRIEND, STRANGER = 2, 4, 5
CURRENT, OLDER = "/kaspad/transport/1.0.0", "/kaspa/p2p/bridge/1.0"


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    """A peer that waits, without a relay: the remote is on the same machine."""
    with programs() as more:
        program = more.start("server", "peer", SERVER, allow=peer_id(FRIEND))
        program.seen(milestones.NODE_LISTENING)
        yield program


class Remote:
    """A host by hand, connected to the server."""

    def __init__(self, host: Host, connection: Connection, directory: Path) -> None:
        self.host = host
        self.connection = connection
        self._directory = directory

    async def call(self, protocol: str = CURRENT) -> RawPeer:
        """A Kaspa stream to the server, on which nothing is said yet."""
        stream = await self.host.protocols.open(self.connection, [protocol])
        offer = Offer(self._directory, stream)
        await offer.open()
        self.host.start_soon(offer.run)
        return RawPeer(offer.target)


@asynccontextmanager
async def remote(server: Program, number: int) -> AsyncIterator[Remote]:
    """Party `number`, connected to the server."""
    port = int(server.address().split("/")[4])
    with tempfile.TemporaryDirectory(prefix="kn") as directory:
        async with world() as w:
            host = await w.host(number)
            connection = await host.dialer.dial(SocketAddress("127.0.0.1", port), server.peer_id)
            yield Remote(host, connection, Path(directory))


@pytest.mark.parametrize("protocol", [CURRENT, OLDER])
async def test_both_stream_ids_are_served(server: Program, protocol: str) -> None:
    since = server.mark()
    async with remote(server, FRIEND) as r:
        peer = await r.call(protocol)
        await peer.get_ready()
        accepted = server.all(milestones.STREAM_ACCEPTED, since)[0]
        assert (accepted["protocol"], accepted["peer"]) == (protocol, peer_id(FRIEND))
        peer.close()
    await trio.to_thread.run_sync(server.seen, milestones.PEER_DISCONNECTED, since)


async def test_a_second_version_ends_the_session_and_the_next_one_stands(server: Program) -> None:
    since = server.mark()
    async with remote(server, FRIEND) as r:
        peer = await r.call()
        await peer.get_ready()
        peer.send(version())
        await peer.rest()
        ended = await trio.to_thread.run_sync(server.seen, milestones.PEER_DISCONNECTED, since)
        assert ended["peer"] == peer_id(FRIEND)
        assert "ersion" in ended["reason"]
        await until(lambda: not server.status()["sessions"])
        again = await r.call()
        await again.get_ready()
        again.close()
        peer.close()


async def test_the_same_node_a_second_time_over_the_same_path_is_refused(server: Program) -> None:
    async with remote(server, FRIEND) as r:
        await until(lambda: not server.status()["sessions"])
        first, second = await r.call(), await r.call()
        await first.get_ready()
        second.send(version(), messages.verack(), messages.ready())
        said = await second.rest()
        assert [m.reject.reason for m in said if messages.kind(m) == "Reject"] != []
        assert [row["state"] for row in server.status()["sessions"]].count("ready") == 1
        first.close()
        second.close()


async def test_who_is_not_on_the_list_gets_no_byte_of_kaspa(server: Program) -> None:
    since, refused = server.mark(), server.status()["counters"]["refused"]
    async with remote(server, STRANGER) as r:
        for protocol in (CURRENT, OLDER):
            stream = await r.host.protocols.open(r.connection, [protocol])
            await stream.write(b"PRI * HTTP/2.0")
            with pytest.raises(NegotiationError):
                await stream.read()
    assert server.status()["counters"]["refused"] == refused + 2
    line = server.seen(milestones.PEER_REFUSED, since)
    assert (line["what"], line["peer"]) == ("Kaspa stream", peer_id(STRANGER))
    assert not server.all(milestones.VERSION_SENT, since)


async def test_a_peer_without_remotes_has_no_session_to_offer(server: Program) -> None:
    with pytest.raises(RequestFailed, match="configured: none"):
        server.ask("session", remote="anybody")
