"""Kaspa sessions over libp2p streams: which stream carries which session, both ways."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import trio

from kaspa_node import bridge, milestones
from kaspa_node.journal import Journal
from kaspa_node.kaspa.config import Carrier, Direction
from kaspa_node.kaspa.peer_session import KaspaSession
from kaspa_node.kaspa.service import ABSTRACT_CALLER, KaspaService
from kaspa_node.kaspa.synthetic import socket_address
from kaspa_node.p2p.connection import DIRECT, Connection
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.refusals import Refusals
from kaspa_node.p2p.stream import Stream
from kaspa_node.settings.values import AllowList

# Newest first: that of the fork's current branches, then that of the seed's binaries. Both are served and offered.
STREAM_PROTOCOLS = ("/kaspad/transport/1.0.0", "/kaspa/p2p/bridge/1.0")


@dataclass(frozen=True, slots=True)
class Carried:
    """A stream and the session above it. run: the verification that asked for it, or None."""

    stream: Stream
    carrier: Carrier
    run: str | None

    @property
    def connection(self) -> Connection:
        """The connection of the stream."""
        return self.stream.connection


class Carriage:
    """Opens and accepts Kaspa streams. carried: those that stand, by session id. refusals: who was not let in."""

    def __init__(self, host: Host, kaspa: KaspaService, allow: AllowList, runtime: Path, journal: Journal) -> None:
        self.carried: dict[str, Carried] = {}
        self.refusals = Refusals(allow.permits, journal)
        self._host = host
        self._kaspa = kaspa
        self._runtime = runtime
        self._server = runtime / "kaspa.sock"
        self._journal = journal
        self._callers: dict[str, Carrier] = {}
        self._nursery: trio.Nursery | None = None
        for protocol in STREAM_PROTOCOLS:
            host.serve(protocol, self._accept, self._permits)

    async def start(self, nursery: trio.Nursery) -> None:
        """Serve the embedded Kaspa peer, and carry its streams, in `nursery`. Raises ListenError."""
        self._nursery = nursery
        await nursery.start(self._kaspa.run)
        await nursery.start(self._kaspa.serve, str(self._server), self._callers.get)

    def let_go(self, session: KaspaSession) -> None:
        """End what carried a session that is over: grpcio would keep its connection for another ten seconds."""
        carried = self.carried.get(session.carrier.session)
        if carried is not None:
            carried.stream.reset()

    def _permits(self, peer: str) -> bool:
        return self.refusals.permit(peer, "Kaspa stream")

    def _carrier(self, stream: Stream, direction: Direction) -> Carrier:
        route = stream.connection.route
        address = route.remote if route.path == DIRECT else socket_address(stream.remote, route.path)
        return Carrier(stream.name, stream.remote, route.path, direction, address)

    async def _accept(self, stream: Stream) -> None:
        carrier = self._carrier(stream, "incoming")
        name = f"kaspa-node-{secrets.token_hex(8)}"
        caller = ABSTRACT_CALLER + name
        self._journal.record(
            milestones.STREAM_ACCEPTED,
            peer=carrier.peer,
            session=carrier.session,
            conn=stream.connection.id,
            path=carrier.path,
            protocol=stream.protocol,
        )
        self._callers[caller] = carrier
        self.carried[carrier.session] = Carried(stream, carrier, None)
        try:
            await bridge.deliver(stream, self._server, name)
        except OSError as error:
            self._journal.error("the embedded Kaspa peer can't be reached on its socket: %s", error)
        finally:
            del self._callers[caller]
            del self.carried[carrier.session]

    async def open(self, connection: Connection, run: str | None) -> tuple[KaspaSession, Stream]:
        """A session with the peer at the end of `connection`, ready. Raises P2PError, HandshakeFailed, OSError."""
        assert self._nursery is not None
        stream = await self._host.open_stream(connection, STREAM_PROTOCOLS)
        carrier = self._carrier(stream, "outgoing")
        offer = bridge.Offer(self._runtime, stream)
        await offer.open()
        self.carried[carrier.session] = Carried(stream, carrier, run)
        self._nursery.start_soon(self._carry, offer, carrier.session)
        self._journal.record(
            milestones.STREAM_OPENED,
            peer=carrier.peer,
            session=carrier.session,
            conn=connection.id,
            path=carrier.path,
            protocol=stream.protocol,
            run=run,
        )
        return await self._kaspa.connect(offer.target, carrier), stream

    async def _carry(self, offer: bridge.Offer, session: str) -> None:
        try:
            await offer.run()
        finally:
            del self.carried[session]
