"""Hosts of py-libp2p 0.8.1 as it comes, for ours to meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
from libp2p import new_host
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo
from libp2p.relay.circuit_v2.config import RelayConfig, RelayRole
from libp2p.relay.circuit_v2.protocol import PROTOCOL_ID, CircuitV2Protocol
from libp2p.relay.circuit_v2.resources import RelayLimits
from libp2p.relay.circuit_v2.transport import CircuitV2Transport
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.settings.values import RelayAddress
from tests.integration.world import ECHO
from tests.unit.p2p.parties import identity

UNLIMITED = RelayLimits(duration=0, data=1 << 40, max_circuit_conns=16, max_reservations=16)


class Stock:
    """A stock host. Its own classes are untyped here on purpose: what they return is what is being tested."""

    def __init__(self, number: int) -> None:
        self.host: Any = new_host(key_pair=identity(number))
        self.peer_id = str(self.host.get_id())
        self.host.set_stream_handler(ECHO, self._echo)

    @property
    def at(self) -> SocketAddress:
        """Where it listens."""
        addr = next(a for a in self.host.get_addrs() if "/tcp/" in str(a))
        return SocketAddress(addr.value_for_protocol("ip4"), int(addr.value_for_protocol("tcp")))

    @property
    def address(self) -> RelayAddress:
        """Where peers find it as a relay."""
        return RelayAddress(f"{self.at.multiaddr()}/p2p/{self.peer_id}", self.at.ip, self.at.port, self.peer_id)

    async def _echo(self, stream: Any) -> None:
        # At the end of the remote's side a stock stream raises, where others return nothing.
        with suppress(StreamEOF):
            while data := await stream.read(1 << 16):
                await stream.write(data)
        await stream.close()

    async def connect(self, at: SocketAddress, peer: str) -> None:
        """A connection to one of ours."""
        await self.host.connect(PeerInfo(ID.from_string(peer), [Multiaddr(at.multiaddr())]))

    async def say(self, peer: str, data: bytes) -> bytes:
        """What `peer` echoes of `data`."""
        stream = await self.host.new_stream(ID.from_string(peer), [ECHO])
        got = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.write, data)
            while len(got) < len(data):
                got += await stream.read(1 << 16)
        await stream.close()
        return bytes(got)


@asynccontextmanager
async def stock(number: int) -> AsyncIterator[Stock]:
    """A stock host that listens on loopback."""
    found = Stock(number)
    async with found.host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        yield found


@asynccontextmanager
async def stock_relay(number: int) -> AsyncIterator[Stock]:
    """A stock host that relays."""
    async with stock(number) as found:
        protocol = CircuitV2Protocol(found.host, limits=UNLIMITED, allow_hop=True)
        async with background_trio_service(protocol):
            await protocol.event_started.wait()
            yield found


@asynccontextmanager
async def stock_client(number: int, *, listens: bool) -> AsyncIterator[tuple[Stock, CircuitV2Transport]]:
    """A stock host that uses relays, and its circuit transport. A pure dialer must not have the CLIENT role, or it
    reserves a slot before every CONNECT (transport.py:398)."""
    async with stock(number) as found:
        protocol = CircuitV2Protocol(found.host, allow_hop=False)
        roles = RelayRole.STOP | RelayRole.CLIENT if listens else RelayRole.STOP
        transport = CircuitV2Transport(found.host, protocol, RelayConfig(roles=roles))
        async with background_trio_service(protocol):
            await protocol.event_started.wait()
            yield found, transport


async def reserve(client: Stock, transport: CircuitV2Transport, relay: RelayAddress, nursery: trio.Nursery) -> bool:
    """Have a stock host reserve on a relay that it is connected to."""
    stream = await client.host.new_stream(ID.from_string(relay.peer_id), [PROTOCOL_ID])
    return bool(await transport.reserve(stream, ID.from_string(relay.peer_id), nursery))
