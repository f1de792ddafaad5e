"""Circuits as the peers at their ends see them: dialing through a relay, and being dialed."""

from __future__ import annotations

from collections.abc import Callable

import trio
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, StopMessage

from kaspa_node.journal import Journal
from kaspa_node.p2p.budget import HANDSHAKE
from kaspa_node.p2p.channel.connection import INCOMING, OUTGOING, RELAYED, Connection, Route
from kaspa_node.p2p.channel.stream import Stream, StreamPipe
from kaspa_node.p2p.errors import DialError, NoReservation, P2PError, ProtocolError, RelayRefused
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.refusals import Refusals
from kaspa_node.p2p.relay import messages as wire

REQUEST_SECONDS = 15.0


async def dial(host: Host, relay: Connection, peer: str) -> Connection:
    """A connection to `peer` through the relay at the end of `relay`.

    Raises NoReservation if the relay does not know the peer, RelayRefused, or another P2PError.
    """
    stream = await host.protocols.open(relay, [wire.HOP_PROTOCOL])
    agreed = False
    try:
        with trio.fail_after(REQUEST_SECONDS):
            request = HopMessage(type=HopMessage.CONNECT)
            request.peer.id = wire.peer_bytes(peer)
            await wire.write(stream, request)
            answer = await wire.read_hop(stream)
        status = wire.status_name(answer.status)
        if status != wire.OK:
            raise NoReservation() if status == wire.NO_RESERVATION else RelayRefused(status)
        agreed = True
    except trio.TooSlowError as error:
        raise DialError(f"the relay did not answer within {REQUEST_SECONDS:.0f} s") from error
    finally:
        # Also if the dial was given up: a circuit that nobody uses would hold a place at the relay.
        if not agreed:
            stream.reset()
    pipe = StreamPipe(stream)
    upgrade, round_trip = await host.upgrader.upgrade(pipe, initiator=True, expected=peer)
    limit = wire.limit_of(answer)
    route = Route(RELAYED, OUTGOING, relay.route.local, relay.route.remote, relay.remote, limit)
    connection = Connection(pipe, upgrade, route, round_trip=round_trip, under=relay)
    host.adopt(connection)
    return connection


class CircuitListener:
    """Accepts circuits from relays that `is_relay` knows, from peers that `permits` allows.

    refusals: of the others.
    """

    def __init__(
        self, host: Host, is_relay: Callable[[str], bool], permits: Callable[[str], bool], journal: Journal
    ) -> None:
        self.refusals = Refusals(permits, journal)
        self._host = host
        self._journal = journal
        host.protocols.serve(wire.STOP_PROTOCOL, self._stop, is_relay, price=HANDSHAKE)

    async def _stop(self, stream: Stream) -> None:
        with trio.fail_after(REQUEST_SECONDS):
            request = await wire.read_stop(stream)
        if request.type != StopMessage.CONNECT:
            raise ProtocolError("a STOP stream that does not begin with CONNECT")
        peer = wire.peer_text(request.peer.id)
        if not self.refusals.permit(peer, "circuit"):
            await self._answer(stream, wire.PERMISSION_DENIED)
            stream.dismiss()
            return
        await self._answer(stream, wire.OK)
        relay = stream.connection
        pipe = StreamPipe(stream)
        try:
            upgrade, _ = await self._host.upgrader.upgrade(pipe, initiator=False, expected=peer)
            limit = wire.limit_of(request)
            route = Route(RELAYED, INCOMING, relay.route.local, relay.route.remote, relay.remote, limit)
            self._host.adopt(Connection(pipe, upgrade, route, under=relay))
        except P2PError as error:
            self._journal.debug("a circuit from %s came to nothing: %s", peer, error)

    async def _answer(self, stream: Stream, status: str) -> None:
        await wire.write(stream, StopMessage(type=StopMessage.STATUS, status=wire.status_number(status)))
