"""One hole punch on trio: does what its machine (attempts.py) says, and reports the results to the machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import trio

from kaspa_node import milestones, reasons
from kaspa_node.journal import Journal
from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import Leg, SocketAddress
from kaspa_node.p2p.channel import select
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import ConnectionLost, NegotiationError, P2PError, PunchFailed
from kaspa_node.p2p.expectations import Expectation
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch import attempts, exchange, simultaneous
from kaspa_node.p2p.punch.attempts import INITIATOR, RESPONDER, Answer, Attempts, Begin, Check, Dial, Take, Wake
from kaspa_node.p2p.punch.exchange import Expect, Initiator, Responder, Send
from kaspa_node.p2p.punch.vantage import Vantage
from kaspa_node.p2p.wire import delimited
from kaspa_node.reasons import Reason

EXCHANGE_SECONDS = 10.0
# A direct connection that exists before the punch has this long to answer a ping, or three of its round trips.
CHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Means:
    """What punches of one host work with.

    vantage: gives that of first attempts, and of those that the remote begins.
    spare: opens one that was never used, on the relay (a peer id) that is to see it.
    """

    host: Host
    nursery: trio.Nursery
    journal: Journal
    vantage: Callable[[], Vantage]
    spare: Callable[[str], AbstractAsyncContextManager[Vantage | None]]


@dataclass(slots=True)
class _Attempt:
    """An attempt that runs. decided: the machine has said whether to dial, or what to take."""

    number: int
    vantage: Vantage
    start: float = field(default_factory=trio.current_time)
    plan: exchange.Dial | None = None
    small: bool = False
    decided: trio.Event = field(default_factory=trio.Event)
    dialing: trio.CancelScope = field(default_factory=trio.CancelScope)
    taken: bool = False
    announced: bool = False
    expected: list[Expectation] = field(default_factory=list)


class Punch:
    """The hole punch of one relayed connection.

    barred: whether attempts go from a spare port from the first on. small: whether segments are small from the first
    on. failed: called after each attempt that fails. changed: wakes those that wait for the outcome.
    """

    def __init__(
        self, means: Means, relayed: Connection, *, barred: bool, small: bool, failed: Callable[[], None]
    ) -> None:
        self.relayed = relayed
        self.changed = trio.lowlevel.ParkingLot()
        role = INITIATOR if relayed.route.direction == INCOMING else RESPONDER
        self.machine = Attempts(role, spare=barred, small=small)
        self._known_small = small
        self.segment: int | None = None
        self._host = means.host
        self._means = means
        self._on_failure = failed
        self._running: dict[int, _Attempt] = {}
        # They end with the relayed connection, so that its dials do not disturb those of the next one.
        self._scopes: set[trio.CancelScope] = set()

    @property
    def learned_small(self) -> bool:
        """Whether this punch has found out that full-size packets are lost."""
        return self.machine.small and not self._known_small

    # What happens

    def begin(self) -> None:
        """The relayed connection is up."""
        exists = self._host.connections.to(self.relayed.remote, DIRECT) is not None
        self._do(self.machine.begin(trio.current_time(), exists=exists))

    def direct_up(self, connection: Connection) -> None:
        """A direct connection to the remote is up."""
        if not connection.closed.is_set():
            self._do(self.machine.up(connection.id))

    def direct_down(self, connection: Connection) -> None:
        """A direct connection to the remote has ended."""
        self.machine.down(connection.id)

    def named(self) -> None:
        """The remote's identify push names the protocol."""
        self._do(self.machine.named())

    def end(self) -> None:
        """The relayed connection has ended."""
        self._do(self.machine.lost(self.relayed.reason or "its circuit is gone"))
        for scope in list(self._scopes):
            scope.cancel()

    async def answer(self, stream: Stream) -> None:
        """The remote has begun an attempt on `stream`. Returns when the attempt is over."""
        commands = self.machine.began()
        numbers = [command.attempt for command in commands if isinstance(command, Answer)]
        if not numbers:
            stream.reset()
            return
        attempt = _Attempt(numbers[0], self._means.vantage())
        self._running[attempt.number] = attempt
        self._do(commands)
        timed = attempt.number == 1 and self.relayed.route.direction != INCOMING
        machine = Responder(
            attempt.vantage.addresses,
            leg=self._leg(),
            remote=self.relayed.remote,
            round_trip=self.relayed.round_trip if timed else None,
        )
        try:
            with self._scope():
                await self._attempt(attempt, lambda stack: self._converse(attempt, stream, machine, [], stack))
        finally:
            stream.dismiss()

    def _leg(self) -> Leg:
        route = self.relayed.route
        return Leg(SocketAddress.parse(route.local), SocketAddress.parse(route.remote))

    # What the machine says

    def _do(self, commands: Sequence[attempts.Command]) -> None:
        for command in commands:
            if isinstance(command, Check):
                self._start(self._check)
            elif isinstance(command, Begin):
                self._start(partial(self._begin, command))
            elif isinstance(command, Wake):
                self._start(partial(self._wake, command.at))
            elif isinstance(command, Dial):
                attempt = self._running[command.attempt]
                attempt.small = command.small
                attempt.decided.set()
            elif isinstance(command, Take):
                self._take(self._running[command.attempt], command.connection)
        self.changed.unpark_all()

    def _start(self, task: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            with self._scope():
                await task()

        self._means.nursery.start_soon(run)

    @contextmanager
    def _scope(self) -> Iterator[None]:
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)

    async def _wake(self, at: float) -> None:
        await trio.sleep_until(at)
        self._do(self.machine.tick(trio.current_time()))

    async def _check(self) -> None:
        alive: list[str] = []
        async with trio.open_nursery() as nursery:
            for connection in self._host.connections.of(self.relayed.remote):
                if connection.route.path == DIRECT:
                    nursery.start_soon(_ping, connection, alive)
        self._do(self.machine.checked(alive[-1] if alive else None))

    # Attempts

    async def _begin(self, command: Begin) -> None:
        async with AsyncExitStack() as stack:
            spare = None
            if command.spare:
                spare = await stack.enter_async_context(self._means.spare(self.relayed.route.relay or ""))
            attempt = _Attempt(command.attempt, spare or self._means.vantage())
            self._running[attempt.number] = attempt
            await self._attempt(attempt, lambda stack: self._ask(attempt, stack))

    async def _ask(self, attempt: _Attempt, stack: ExitStack) -> exchange.Dial | None:
        machine = Initiator(
            attempt.vantage.addresses, leg=self._leg(), remote=self.relayed.remote, agreed=attempt.number == 1
        )
        stream = await self._host.protocols.open(self.relayed, [exchange.PROTOCOL])
        try:
            return await self._converse(attempt, stream, machine, machine.start(trio.current_time()), stack)
        except NegotiationError:
            return None
        finally:
            stream.dismiss()

    async def _converse(
        self,
        attempt: _Attempt,
        stream: Stream,
        machine: Initiator | Responder,
        events: list[exchange.Event],
        stack: ExitStack,
    ) -> exchange.Dial:
        """Follow the exchange up to the plan. What is expected meanwhile is expected until `stack` is closed."""
        while True:
            for event in events:
                if isinstance(event, Send):
                    await stream.write(delimited(event.message))
                elif isinstance(event, Expect):
                    expected = simultaneous.expect(self._host, stream.remote, event.targets, event.role)
                    attempt.expected += stack.enter_context(expected)
                else:
                    return event
            raw = await select.read_message(stream, exchange.MAX_BYTES)
            events = machine.receive(raw, trio.current_time())

    async def _attempt(
        self, attempt: _Attempt, converse: Callable[[ExitStack], Awaitable[exchange.Dial | None]]
    ) -> None:
        try:
            with ExitStack() as stack:
                with trio.fail_after(EXCHANGE_SECONDS):
                    attempt.plan = await converse(stack)
                if attempt.plan is None:
                    self._do(self.machine.refused(trio.current_time()))
                    return
                self._do(self.machine.planned(attempt.number))
                await attempt.decided.wait()
                if not attempt.taken:
                    with attempt.dialing:
                        await self._dial(attempt, attempt.plan)
        except trio.TooSlowError:
            self._failed(attempt, Reason(reasons.EXCHANGE_TIMEOUT, seconds=EXCHANGE_SECONDS))
        except PunchFailed as error:
            self._failed(attempt, error.reason)
        except P2PError as error:
            self._failed(attempt, Reason(reasons.EXCHANGE_FAILED, problem=str(error)))
        finally:
            self._running.pop(attempt.number, None)

    async def _dial(self, attempt: _Attempt, plan: exchange.Dial) -> None:
        self._announce(attempt, plan)
        with self._host.listener.small_segments() if attempt.small else nullcontext():
            await trio.sleep_until(plan.at)
            direct = await simultaneous.dial(
                self._host,
                self.relayed.remote,
                plan,
                attempt.expected,
                port=attempt.vantage.port,
                small=attempt.small,
            )
        if not attempt.taken:
            raise ConnectionLost(f"the direct connection ended at once: {direct.reason}")

    def _announce(self, attempt: _Attempt, plan: exchange.Dial) -> None:
        attempt.announced = True
        self._means.journal.record(
            milestones.PUNCH_STARTED,
            role=plan.role,
            peer=self.relayed.remote,
            addrs=",".join(str(target) for target in plan.targets),
            attempt=attempt.number,
            relayed=self.relayed.id,
        )

    def _take(self, attempt: _Attempt, connection: str) -> None:
        attempt.taken = True
        attempt.decided.set()
        attempt.dialing.cancel()
        self.segment = tcp.SMALL_SEGMENT if attempt.small else None
        direct = self._host.connections.named(self.relayed.remote, connection)
        if direct is None:
            return
        if attempt.plan is not None and not attempt.announced:
            self._announce(attempt, attempt.plan)
        self._means.journal.record(
            milestones.PUNCH_SUCCEEDED,
            conn=direct.id,
            peer=direct.remote,
            attempt=attempt.number,
            relayed=self.relayed.id,
            local=direct.route.local,
            remote=direct.route.remote,
            seconds=round(trio.current_time() - self.relayed.since, 4),
            relay_rtt=round(attempt.plan.round_trip if attempt.plan else self.relayed.round_trip, 4),
            segment=self.segment,
        )

    def _failed(self, attempt: _Attempt, reason: Reason) -> None:
        commands = self.machine.failed(attempt.number, reason, trio.current_time())
        if not any(isinstance(command, Take) for command in commands):
            self._means.journal.record(
                milestones.PUNCH_FAILED,
                reason=str(reason),
                code=reason.code,
                peer=self.relayed.remote,
                attempt=attempt.number,
                relayed=self.relayed.id,
                seconds=round(trio.current_time() - attempt.start, 3),
            )
            self._on_failure()
        self._do(commands)


async def _ping(connection: Connection, alive: list[str]) -> None:
    """Add the connection's id to `alive` if it answers, and close the connection otherwise."""
    patience = max(CHECK_SECONDS, 3 * connection.round_trip)
    try:
        with trio.move_on_after(patience) as waiting:
            await connection.ping()
            alive.append(connection.id)
    except ConnectionLost:
        return
    if waiting.cancelled_caught:
        connection.close(f"no answer for {patience:.0f} s, and the peer comes through the relay again")
