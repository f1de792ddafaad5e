"""The relay on trio: answers HOP requests, opens STOP streams, and forwards the bytes of circuits."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import trio
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, StopMessage

from kaspa_node import milestones
from kaspa_node.journal import Journal
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.budget import REQUEST
from kaspa_node.p2p.channel.connection import DIRECT, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import P2PError, StreamReset
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.refusals import Refusals
from kaspa_node.p2p.relay import messages as wire
from kaspa_node.p2p.relay.ledger import Circuit, Denied, Ledger

REQUEST_SECONDS = 10.0
SWEEP_SECONDS = 30.0
# A circuit on which nothing moves, either way, holds a place that others may want. Every libp2p pings within half a
# minute, and kaspad every two minutes.
IDLE_SECONDS = 150.0
_IDLE_CHECKS = 5


class RelayService:
    """Reservations and circuits for the peers that `permits` allows.

    ledger: for status. refusals: of peers that are not on the allow list. denied: requests beyond a limit.
    """

    def __init__(self, host: Host, ledger: Ledger, permits: Callable[[str], bool], journal: Journal) -> None:
        self.ledger = ledger
        self.refusals = Refusals(permits, journal)
        self.denied = 0
        self._host = host
        self._permits = permits
        self._journal = journal
        host.protocols.serve(wire.HOP_PROTOCOL, self._hop, price=REQUEST)
        host.connections.up.append(self._connection_up)
        host.connections.down.append(self._connection_down)

    async def run(self) -> None:
        """Expire reservations until cancelled."""
        while True:
            await trio.sleep(SWEEP_SECONDS)
            for peer in self.ledger.expire(trio.current_time()):
                self._journal.record(milestones.RELAY_RESERVATION_ENDED, peer=peer, reason="expired")

    def _connection_up(self, connection: Connection) -> None:
        if not self._permits(connection.remote):
            self._host.strangers.close_later(connection, "not on the allow list")

    def _connection_down(self, connection: Connection) -> None:
        if self._host.connections.to(connection.remote) is None and self.ledger.release(connection.remote):
            self._journal.record(milestones.RELAY_RESERVATION_ENDED, peer=connection.remote, reason=connection.reason)

    async def _hop(self, stream: Stream) -> None:
        with trio.fail_after(REQUEST_SECONDS):
            request = await wire.read_hop(stream)
        reserves = request.type == HopMessage.RESERVE
        if stream.connection.route.path != DIRECT or not self.refusals.permit(
            stream.remote, "reservation" if reserves else "circuit"
        ):
            await self._refuse(stream, wire.PERMISSION_DENIED)
        elif reserves:
            await self._reserve(stream)
        elif request.type == HopMessage.CONNECT:
            await self._connect(stream, request)
        else:
            await self._refuse(stream, wire.UNEXPECTED_MESSAGE)

    async def _refuse(self, stream: Stream, status: str) -> None:
        await wire.write(stream, HopMessage(type=HopMessage.STATUS, status=wire.status_number(status)))
        stream.dismiss()

    # Reservations

    async def _reserve(self, stream: Stream) -> None:
        peer = stream.remote
        renewed = peer in self.ledger.reservations
        observed = stream.connection.route.remote
        reservation = self.ledger.reserve(peer, observed, trio.current_time())
        if isinstance(reservation, Denied):
            self.denied += 1
            self._journal.record(milestones.RELAY_RESERVATION_DENIED, peer=peer, status=reservation.status)
            await self._refuse(stream, reservation.status)
            return
        ttl = self.ledger.limits.reservation_ttl
        answer = HopMessage(type=HopMessage.STATUS, status=wire.status_number(wire.OK))
        answer.reservation.expire = int(time.time() + ttl)
        wire.put_life(answer.reservation, int(ttl))
        answer.reservation.addrs.extend(self._addresses(stream.connection))
        self._set_limit(answer)
        self._journal.record(milestones.RELAY_RESERVED, peer=peer, renewed=renewed, observed=observed, ttl=ttl)
        await wire.write(stream, answer)
        stream.dismiss()

    def _addresses(self, connection: Connection) -> list[bytes]:
        """This relay's addresses: the announced ones, otherwise the address that the peer has connected to."""
        return self._host.announced or [SocketAddress.parse(connection.route.local).encode()]

    def _set_limit(self, message: HopMessage | StopMessage) -> None:
        """Name the limits, if there are any: go-libp2p refuses ordinary streams on a circuit with a Limit."""
        limits = self.ledger.limits
        if limits.circuit_duration or limits.circuit_bytes:
            message.limit.duration = int(limits.circuit_duration)
            message.limit.data = limits.circuit_bytes

    # Circuits

    async def _connect(self, stream: Stream, request: HopMessage) -> None:
        src, dst = stream.remote, wire.peer_text(request.peer.id)
        circuit = self.ledger.open(secrets.token_hex(4), src, dst, trio.current_time())
        if isinstance(circuit, Denied):
            await self._deny(stream, src, dst, circuit.status)
            return
        reason = "the connection of the source ended"
        onward: Stream | None = None
        try:
            onward = await self._stop_while_wanted(circuit, stream)
            if onward is None:
                reason = "the destination could not be reached"
                await self._deny(stream, src, dst, wire.CONNECTION_FAILED)
                return
            self._journal.record(milestones.RELAY_CIRCUIT_OPENED, circuit=circuit.id, src=src, dst=dst)
            answer = HopMessage(type=HopMessage.STATUS, status=wire.status_number(wire.OK))
            self._set_limit(answer)
            await wire.write(stream, answer)
            reason = await self._forward(circuit, stream, onward)
        except P2PError as error:
            reason = str(error)
        finally:
            self.ledger.close(circuit)
            stream.reset()
            if onward is not None:
                onward.reset()
                self._journal.record(
                    milestones.RELAY_CIRCUIT_CLOSED,
                    circuit=circuit.id,
                    src=src,
                    dst=dst,
                    bytes_forward=circuit.bytes_forward,
                    bytes_backward=circuit.bytes_backward,
                    seconds=round(trio.current_time() - circuit.since, 3),
                    reason=reason,
                )

    async def _deny(self, stream: Stream, src: str, dst: str, status: str) -> None:
        self.denied += 1
        self._journal.record(milestones.RELAY_CIRCUIT_DENIED, src=src, dst=dst, status=status)
        await self._refuse(stream, status)

    async def _stop_while_wanted(self, circuit: Circuit, source: Stream) -> Stream | None:
        """As `_stop`, but a source that gives up meanwhile ends it: the destination may have vanished in silence."""
        answered: list[Stream | None] = []
        async with trio.open_nursery() as nursery:

            async def give_up() -> None:
                await source.given_up()
                nursery.cancel_scope.cancel()

            nursery.start_soon(give_up)
            answered.append(await self._stop(circuit))
            nursery.cancel_scope.cancel()
        if not answered:
            raise StreamReset("the source gave up while the destination was asked")
        return answered[0]

    async def _stop(self, circuit: Circuit) -> Stream | None:
        """The stream to the destination of a circuit, once the destination has agreed."""
        connection = self._connection_to(circuit.dst)
        if connection is None:
            return None
        onward: Stream | None = None
        agreed = False
        try:
            with trio.fail_after(REQUEST_SECONDS):
                onward = await self._host.protocols.open(connection, [wire.STOP_PROTOCOL])
                request = StopMessage(type=StopMessage.CONNECT)
                request.peer.id = wire.peer_bytes(circuit.src)
                self._set_limit(request)
                await wire.write(onward, request)
                answer = await wire.read_stop(onward)
            agreed = answer.type == StopMessage.STATUS and answer.status == wire.status_number(wire.OK)
        except (P2PError, trio.TooSlowError) as error:
            self._journal.debug("circuit %s: no answer from %s: %s", circuit.id, circuit.dst, error)
        finally:
            if onward is not None and not agreed:
                onward.reset()
        return onward if agreed else None

    def _connection_to(self, peer: str) -> Connection | None:
        """The connection over which `peer` has reserved, while it is up: it may have others that it closes soon."""
        reservation = self.ledger.reservations.get(peer)
        for connection in self._host.connections.of(peer):
            reserved = reservation is not None and connection.route.remote == reservation.observed
            if reserved and not connection.closed.is_set():
                return connection
        return self._host.connections.to(peer, DIRECT)

    async def _forward(self, circuit: Circuit, src: Stream, dst: Stream) -> str:
        """Carry bytes until an end, a limit or the time is over; returns why it ended."""
        duration = self.ledger.limits.circuit_duration
        ends: list[str] = []
        with trio.move_on_after(duration or float("inf")):
            async with trio.open_nursery() as nursery:

                async def one_way(source: Stream, sink: Stream, forward: bool) -> None:
                    try:
                        ends.append(await self._pump(circuit, source, sink, forward=forward))
                    except P2PError as error:
                        ends.append(str(error))
                        nursery.cancel_scope.cancel()
                        return
                    if ends[-1] != _END or len(ends) == 2:
                        nursery.cancel_scope.cancel()

                async def end_when_idle() -> None:
                    await _idle(circuit)
                    ends.append(f"nothing moved for {IDLE_SECONDS:.0f} s")
                    nursery.cancel_scope.cancel()

                nursery.start_soon(one_way, src, dst, True)
                nursery.start_soon(one_way, dst, src, False)
                nursery.start_soon(end_when_idle)
        return ends[-1] if ends else f"its {duration:.0f} s are over"

    async def _pump(self, circuit: Circuit, source: Stream, sink: Stream, *, forward: bool) -> str:
        while data := await source.read(1 << 18):
            allowed = self.ledger.count(circuit, len(data), forward=forward)
            await sink.write(data[:allowed])
            if allowed < len(data):
                raise StreamReset(f"its {self.ledger.limits.circuit_bytes} bytes are used up")
        sink.close()
        return _END


async def _idle(circuit: Circuit) -> None:
    """Return once nothing has moved for a while."""
    quiet = 0
    while quiet < _IDLE_CHECKS:
        before = (circuit.bytes_forward, circuit.bytes_backward)
        await trio.sleep(IDLE_SECONDS / _IDLE_CHECKS)
        quiet = quiet + 1 if (circuit.bytes_forward, circuit.bytes_backward) == before else 0


_END = "ended by both sides"
