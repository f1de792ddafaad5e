"""Hole punches of one host on trio: as B for every relayed connection that comes in, as A for those that went out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from kaspa_node import milestones
from kaspa_node.constants import MAX_PUNCH_ATTEMPTS
from kaspa_node.journal import Journal
from kaspa_node.p2p.channel import select
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, RELAYED, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import ConnectionLost, DialError, NegotiationError, P2PError
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch import exchange, simultaneous
from kaspa_node.p2p.punch.exchange import Dial, Expect, Initiator, Responder, Send
from kaspa_node.p2p.punch.spare_port import spare_port
from kaspa_node.p2p.punch.vantage import Vantage
from kaspa_node.p2p.wire import delimited

EXCHANGE_SECONDS = 10.0
# A direct connection that stands already must answer a ping within this, or it is what the remote has left behind.
STANDING_SECONDS = 1.0
PAUSE_SECONDS = 0.5
# For so long routers may drop what goes the way of an attempt that has failed (spare_port.py).
BARRED_SECONDS = 125.0
# A remote that wants to punch begins at once; after this long without a word it does not speak DCUtR.
SILENCE_SECONDS = EXCHANGE_SECONDS + simultaneous.WINDOW_SECONDS + MAX_PUNCH_ATTEMPTS * PAUSE_SECONDS


@dataclass(slots=True)
class Progress:
    """How far the punch that belongs to one relayed connection has come.

    attempts: begun so far. answered: those that the remote began. reason: why the last one failed.
    over: the last attempt has failed, or none will come.
    scope: cancelled with the relayed connection, so that its dials don't stand in the way of the next one's.
    """

    attempts: int = 0
    answered: int = 0
    reason: str | None = None
    over: bool = False
    changed: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class Puncher:
    """Runs the attempts, and tells how they go.

    vantage: gives that of first attempts, and of those that the remote begins.
    """

    def __init__(self, host: Host, vantage: Callable[[], Vantage], journal: Journal) -> None:
        self._host = host
        self._vantage = vantage
        self._journal = journal
        self._progress: dict[str, Progress] = {}
        self._declined: set[str] = set()
        # Peer id → until when attempts go from a spare port from the first on.
        self._barred: dict[str, float] = {}
        self._nursery: trio.Nursery | None = None
        host.protocols.serve(exchange.PROTOCOL, self._answer, lambda peer: peer not in self._declined)
        host.connections.up.append(self._connection_up)
        host.connections.down.append(self._connection_down)

    async def run(self) -> None:
        """Punch until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await trio.sleep_forever()

    def _connection_up(self, connection: Connection) -> None:
        if connection.route.path == RELAYED:
            self._progress[connection.id] = Progress()
            if connection.route.direction == INCOMING and self._nursery is not None:
                self._nursery.start_soon(self._drive, connection)
        else:
            for other in self._host.connections.of(connection.remote):
                self._wake(other)

    def _connection_down(self, connection: Connection) -> None:
        progress = self._progress.pop(connection.id, None)
        if progress is not None:
            progress.over = True
            progress.scope.cancel()
            progress.changed.unpark_all()

    def _wake(self, relayed: Connection) -> None:
        progress = self._progress.get(relayed.id)
        if progress is not None:
            progress.changed.unpark_all()

    def progress(self, relayed: Connection) -> Progress:
        """How far the punch of a relayed connection has come."""
        return self._progress.get(relayed.id) or Progress(over=True, reason=relayed.reason or "the circuit has ended")

    def decline(self, peer: str, declined: bool) -> None:
        """Whether attempts of `peer` are turned down, for as long as the relay is wanted and nothing else."""
        if declined:
            self._declined.add(peer)
        else:
            self._declined.discard(peer)

    async def direct(self, relayed: Connection) -> Connection:
        """The direct connection that the punch of `relayed` brings. Raises DialError when it has failed for good.

        One that stands already, left over by an attempt whose relayed connection is gone, counts from this punch's
        first attempt on: how many it took is part of what is told.
        """
        progress = self.progress(relayed)
        silent = False
        while True:
            connection = self._host.connections.to(relayed.remote, DIRECT)
            if connection is not None and (progress.attempts or progress.over or silent):
                return connection
            if progress.over or silent:
                raise DialError(progress.reason or "the remote did not begin a hole punch")
            with trio.move_on_after(SILENCE_SECONDS) as silence:
                await progress.changed.park()
            silent = silence.cancelled_caught

    # As B

    async def _drive(self, relayed: Connection) -> None:
        progress = self.progress(relayed)
        with progress.scope:
            await self._check_standing(relayed.remote)
            for attempt in range(1, MAX_PUNCH_ATTEMPTS + 1):
                progress.attempts = attempt
                if await self._succeeds(relayed, attempt, progress):
                    break
                await trio.sleep(PAUSE_SECONDS * attempt)
        progress.over = True
        progress.changed.unpark_all()

    async def _check_standing(self, peer: str) -> None:
        """End a direct connection to `peer` that is none any more: it would be taken for the punch's success.

        A remote that dials through the relay again has mostly lost or closed it, and its reset may not have arrived.
        """
        standing = self._host.connections.to(peer, DIRECT)
        if standing is None:
            return
        try:
            with trio.move_on_after(STANDING_SECONDS) as waiting:
                await standing.ping()
        except ConnectionLost:
            return
        if waiting.cancelled_caught:
            standing.close(f"no answer for {STANDING_SECONDS:.0f} s, and the peer comes through the relay again")

    async def _succeeds(self, relayed: Connection, attempt: int, progress: Progress) -> bool:
        """One attempt; True where no other is needed, or makes sense."""
        start = trio.current_time()
        try:
            await self._attempt(relayed, attempt)
        except NegotiationError:
            progress.reason = "the remote does not want a hole punch"
        except (P2PError, trio.TooSlowError) as error:
            progress.reason = str(error) or f"no answer within {EXCHANGE_SECONDS:.0f} s"
            self._barred[relayed.remote] = trio.current_time() + BARRED_SECONDS
            self._failed(relayed, attempt, progress.reason, start)
            return False
        return True

    def _is_barred(self, peer: str) -> bool:
        now = trio.current_time()
        self._barred = {each: until for each, until in self._barred.items() if until > now}
        return peer in self._barred

    async def _attempt(self, relayed: Connection, attempt: int) -> None:
        if attempt == 1 and not self._is_barred(relayed.remote):
            await self._punch(relayed, attempt, self._vantage())
            return
        async with spare_port(self._host, relayed.route.relay or "") as spare:
            await self._punch(relayed, attempt, spare or self._vantage())

    async def _punch(self, relayed: Connection, attempt: int, vantage: Vantage) -> None:
        machine = Initiator(vantage.addresses, remote=relayed.remote, agreed=attempt == 1)
        with trio.fail_after(EXCHANGE_SECONDS):
            stream = await self._host.protocols.open(relayed, [exchange.PROTOCOL])
            try:
                plan = await self._converse(stream, machine, machine.start(trio.current_time()), [])
            finally:
                stream.dismiss()
        await self._dial(relayed, plan, attempt, vantage)

    # As A

    async def _answer(self, stream: Stream) -> None:
        relayed = stream.connection
        progress = self._progress.get(relayed.id)
        if progress is None or progress.answered >= MAX_PUNCH_ATTEMPTS:
            # Each answer is a round of dials to addresses of the remote's choice: it gets no more of them than it
            # would of us.
            stream.reset()
            return
        progress.answered += 1
        progress.attempts += 1
        attempt, start = progress.attempts, trio.current_time()
        progress.changed.unpark_all()
        timed = relayed.round_trip if attempt == 1 and relayed.route.direction != INCOMING else None
        vantage = self._vantage()
        machine = Responder(vantage.addresses, remote=relayed.remote, round_trip=timed)
        expectations: list[Callable[[], None]] = []
        try:
            with trio.fail_after(EXCHANGE_SECONDS):
                plan = await self._converse(stream, machine, [], expectations)
            await self._dial(relayed, plan, attempt, vantage)
        except (P2PError, trio.TooSlowError) as error:
            progress.reason = str(error) or f"no answer within {EXCHANGE_SECONDS:.0f} s"
            progress.over = attempt >= MAX_PUNCH_ATTEMPTS
            self._failed(relayed, attempt, progress.reason, start)
            progress.changed.unpark_all()
        finally:
            stream.dismiss()
            for over in expectations:
                over()

    # Both

    async def _converse(
        self,
        stream: Stream,
        machine: Initiator | Responder,
        events: list[exchange.Event],
        expectations: list[Callable[[], None]],
    ) -> Dial:
        """Follow the machine up to the dial. What ends the expectations that it has is added to `expectations`."""
        while True:
            for event in events:
                if isinstance(event, Send):
                    await stream.write(delimited(event.message))
                elif isinstance(event, Expect):
                    expectations += [self._host.listener.expect_simultaneous(t, stream.remote) for t in event.targets]
                else:
                    return event
            raw = await select.read_message(stream, exchange.MAX_BYTES)
            events = machine.receive(raw, trio.current_time())

    async def _dial(self, relayed: Connection, plan: Dial, attempt: int, vantage: Vantage) -> None:
        self._journal.record(
            milestones.PUNCH_STARTED,
            role=plan.role,
            peer=relayed.remote,
            addrs=",".join(str(target) for target in plan.targets),
            attempt=attempt,
            relayed=relayed.id,
        )
        await trio.sleep_until(plan.at)
        direct = await simultaneous.dial(self._host, relayed.remote, plan, vantage.port)
        if direct.closed.is_set():
            raise ConnectionLost(f"the direct connection ended at once: {direct.reason}")
        self._journal.record(
            milestones.PUNCH_SUCCEEDED,
            conn=direct.id,
            peer=direct.remote,
            attempt=attempt,
            relayed=relayed.id,
            local=direct.route.local,
            remote=direct.route.remote,
            seconds=round(trio.current_time() - relayed.since, 4),
            relay_rtt=round(plan.round_trip, 4),
        )

    def _failed(self, relayed: Connection, attempt: int, reason: str, start: float) -> None:
        self._journal.record(
            milestones.PUNCH_FAILED,
            reason=reason,
            peer=relayed.remote,
            attempt=attempt,
            relayed=relayed.id,
            seconds=round(trio.current_time() - start, 3),
        )
