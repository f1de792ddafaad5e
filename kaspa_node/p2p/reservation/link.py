"""One relay as a peer sees it: the keeper on trio."""

from __future__ import annotations

import random
import time

import trio
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage

from kaspa_node import milestones
from kaspa_node.journal import Journal
from kaspa_node.p2p.addresses import Mapping, SocketAddress
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.errors import DialError, P2PError, RelayRefused
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.relay import messages as wire
from kaspa_node.p2p.reservation import dialing
from kaspa_node.p2p.reservation.keeper import Connect, ReservationKeeper, Reserve
from kaspa_node.p2p.reservation.life import ClockDifference, Grant
from kaspa_node.settings.values import RelayAddress

REQUEST_SECONDS = 10.0
# How long a port is busy: the kernel holds the addresses of a closed connection for a minute (TIME_WAIT).
BUSY_SECONDS = 61.0
# How long a relay that is given up is still kept for the circuits over it: time for the remotes to hear of another one.
LEAVE_SECONDS = 60.0
# Renewals may come every second: the first ones have a line each, then there is one line in so many seconds.
RENEWALS_LOGGED, LINE_SECONDS = 3, 300.0


class RelayLink:
    """Keeps a connection to one relay, and a reservation on it if `reserve` is set.

    address: the relay's. mapping: of the local port of the connection, once the relay has reported it; mostly of the
    listening port.
    """

    def __init__(self, host: Host, address: RelayAddress, *, reserve: bool, journal: Journal) -> None:
        self.address = address
        self.keeper = ReservationKeeper(wanted=reserve, jitter=random.random)
        self.mapping: Mapping | None = None
        self._host = host
        self._journal = journal
        self._connection: Connection | None = None
        self._up = trio.Event()
        self._news = trio.lowlevel.ParkingLot()
        self._move_at = float("inf")
        self._nap = trio.CancelScope()
        self._renewals = 0
        self._line_at = 0.0
        self._said: ClockDifference | None = None

    @property
    def peer_id(self) -> str:
        """The relay's peer id."""
        return self.address.peer_id

    @property
    def live(self) -> Connection | None:
        """The connection to the relay, or None while there is none."""
        connection = self._connection
        return None if connection is None or connection.closed.is_set() else connection

    @property
    def round_trip(self) -> float | None:
        """Seconds for one frame to the relay and back, as last measured; None while there is no connection."""
        return None if self.live is None else self.live.round_trip

    @property
    def observed(self) -> SocketAddress | None:
        """Where the relay sees this peer's listening port, if it does."""
        if self.mapping is None or self.mapping.port not in {address.port for address in self._host.listener.addresses}:
            return None
        return self.mapping.seen_at

    async def connection(self) -> Connection:
        """The connection to the relay, as soon as there is one."""
        while True:
            connection = self.live
            if connection is not None:
                return connection
            await self._up.wait()
            await trio.lowlevel.checkpoint()

    async def changed(self) -> None:
        """Wait until the relay is connected, is lost, or refuses once more: `keeper.reason` may be another one then."""
        await self._news.park()

    async def run(self) -> None:
        """Keep the relay until cancelled."""
        while True:
            action = self.keeper.next(trio.current_time(), connected=self._connection is not None)
            if isinstance(action, Connect):
                await self._connect()
            elif isinstance(action, Reserve):
                await self._reserve(action.renewal)
            else:
                await self._wait(action.until)

    def want(self, reserve: bool) -> None:
        """Whether a reservation is kept from now on. One that is held ends by itself."""
        self.keeper.want(reserve)
        self._nap.cancel()

    async def leave(self, reason: str) -> None:
        """Give the reservation up and end the connection, once no circuit runs over it; call it instead of `run`.

        After LEAVE_SECONDS the circuits that are left end with it.
        """
        connection = self.live
        if connection is None:
            return
        had = self.keeper.expires is not None
        with trio.move_on_after(LEAVE_SECONDS):
            while circuits := self._host.connections.over(connection):
                await circuits[0].closed.wait()
        for circuit in self._host.connections.over(connection):
            circuit.close(reason)
        connection.close(reason)
        if had:
            self._journal.record(milestones.RESERVATION_GIVEN_UP, relay=self.peer_id, reason=reason)

    async def _wait(self, until: float) -> None:
        connection = self._connection
        with trio.move_on_at(min(until, self._move_at)) as self._nap:
            if connection is None:
                await trio.sleep_forever()
            else:
                await connection.closed.wait()
                self._lost(connection)
        if connection is not None and self._connection is connection and trio.current_time() >= self._move_at:
            await self._move(connection)

    async def _move(self, old: Connection) -> None:
        """Dial once more from the listening port, and leave the connection from another port if that succeeds.

        Not while circuits run over it, because they would end with it. Nor shortly after a hole punch from its port,
        because the user who asked for the punch may be checking where the relay sees this peer.
        """
        now = trio.current_time()
        self._move_at = now + BUSY_SECONDS
        lately = [each for each in self._host.connections.beside(old) if each.since > now - BUSY_SECONDS]
        if lately or self._host.connections.over(old):
            return
        try:
            connection, _ = await dialing.dial(self._host, self.address, self._journal, any_port=False)
        except DialError as error:
            self._journal.debug("relay %s still can't be dialed from the listening port: %s", self.peer_id, error)
            return
        self._move_at = float("inf")
        self._connection = connection
        self.keeper.moved(trio.current_time())
        old.close("the connection from the listening port takes its place")
        self._journal.info("Relay %s is connected to from the listening port again", connection.route.remote)
        await self._learn_mapping(connection)

    def _lost(self, connection: Connection) -> None:
        self._connection = None
        self._move_at = float("inf")
        self.mapping = None
        self._up = trio.Event()
        if self.keeper.lost(connection.reason, trio.current_time()):
            self._journal.record(milestones.RESERVATION_LOST, relay=self.peer_id, reason=connection.reason)
        self._news.unpark_all()

    def _failed(self, reason: str, *, no_room: bool = False) -> None:
        delay = self.keeper.failed(reason, trio.current_time(), no_room=no_room)
        self._journal.record(milestones.RESERVATION_FAILED, relay=self.peer_id, reason=reason, delay=round(delay, 1))
        self._news.unpark_all()

    async def _connect(self) -> None:
        try:
            connection, elsewhere = await dialing.dial(self._host, self.address, self._journal, any_port=True)
        except DialError as error:
            self._failed(error.problem)
            return
        if elsewhere:
            self._move_at = trio.current_time() + BUSY_SECONDS
        self._connection = connection
        self._up.set()
        self.keeper.connected()
        self._news.unpark_all()
        await self._learn_mapping(connection)

    async def _learn_mapping(self, connection: Connection) -> None:
        """Note where the relay sees the port that this connection comes from."""
        with trio.move_on_after(REQUEST_SECONDS):
            await connection.identified.wait()
        if connection.closed.is_set() or connection.mapping is None:
            return
        self.mapping = connection.mapping
        if self.observed is not None:
            self._journal.record(milestones.MAPPING_OBSERVED, addr=str(self.observed), relay=self.peer_id)

    async def _reserve(self, renewal: bool) -> None:
        connection = self._connection
        if connection is None or connection.closed.is_set():
            if connection is not None:
                self._lost(connection)
            return
        if not renewal:
            self._journal.record(milestones.RESERVATION_REQUESTED, addr=self.address.circuit, relay=self.peer_id)
        asked = trio.current_time()
        try:
            with trio.fail_after(REQUEST_SECONDS):
                grant = await self._ask(connection)
        except trio.TooSlowError:
            self._failed(f"no answer within {REQUEST_SECONDS:.0f} s")
            return
        except RelayRefused as error:
            self._failed(str(error), no_room=error.status in wire.NO_ROOM)
            return
        except P2PError as error:
            self._failed(str(error))
            return
        self._note(renewal, self.keeper.granted(grant, asked))

    async def _ask(self, connection: Connection) -> Grant:
        requested = time.time()
        stream = await self._host.protocols.open(connection, [wire.HOP_PROTOCOL])
        answered = False
        try:
            await wire.write(stream, HopMessage(type=HopMessage.RESERVE))
            answer = await wire.read_hop(stream)
            answered = True
        finally:
            # A request that was given up would stay open at both ends.
            if not answered:
                stream.reset()
        stream.dismiss()
        status = wire.status_name(answer.status)
        if status != wire.OK:
            raise RelayRefused(status)
        return Grant(answer.reservation.expire, requested, wire.life_of(answer.reservation))

    def _note(self, renewal: bool, life: float) -> None:
        """Write what was granted to the log, without a line for each of many renewals."""
        now = trio.current_time()
        self._renewals = self._renewals + 1 if renewal else 0
        if self._renewals <= RENEWALS_LOGGED or now >= self._line_at:
            self._line_at = now + LINE_SECONDS
            self._journal.record(milestones.RESERVATION_ACCEPTED, relay=self.peer_id, renewal=renewal, ttl=round(life))
        if not renewal:
            addr = self.address.circuit_to(self._host.peer_id)
            self._journal.record(milestones.RESERVATION_PUBLISHED, addr=addr, relay=self.peer_id)
        clock = self.keeper.clock
        if clock is not None and clock.is_news_after(self._said):
            self._said = clock
            self._journal.warning("Relay %s: %s", self.peer_id, clock.text)
