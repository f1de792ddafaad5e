"""The keeper of one remote: does on trio what the remote's machine asks for, and reports what came of it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

import trio

from kaspa_node import milestones
from kaspa_node.errors import RequestFailed
from kaspa_node.journal import Journal
from kaspa_node.node.backends.base import Backend, Session
from kaspa_node.node.remote import events
from kaspa_node.node.remote.events import Command, Event, Outcome, PathRef
from kaspa_node.node.remote.machine import RemoteMachine
from kaspa_node.node.remote.operations import Operations
from kaspa_node.node.remote.reply import reply
from kaspa_node.node.requests import SessionRequest
from kaspa_node.p2p.channel.connection import DIRECT, CircuitLimit, Connection
from kaspa_node.p2p.errors import ConnectionLost, P2PError
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.path import Path, PathOwner, in_words
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.reasons import CIRCUIT_LIMITED, NODE_STOPPING, PATH_LOST, SESSION_ENDED, Reason
from kaspa_node.settings.values import Remote

# Time for the remote to notice the end of a session.
DISCONNECT_SECONDS = 2.0


@dataclass(slots=True)
class _Live:
    """A session, and the path that belongs to it. ending: it was asked to end."""

    session: Session
    path: Path
    ending: bool = False


class _Waiter:
    """A request that waits for a fresh session. answer: set with `done`. circuit: the one over which it was dialed."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: Outcome | Reason | None = None
        self.live: _Live | None = None
        self.circuit: Connection | None = None


class RemoteKeeper:
    """Keeps a session with one remote, or the path for others' sessions."""

    def __init__(
        self,
        remote: Remote,
        policy: str,
        links: Sequence[RelayLink],
        *,
        host: Host,
        puncher: Puncher,
        backend: Backend,
        journal: Journal,
    ) -> None:
        self.remote = remote
        self._policy = policy
        self._links = {link.peer_id: link for link in links}
        self._host = host
        self._backend = backend
        self._journal = journal
        self._machine = RemoteMachine(jitter=random.random, yields=host.peer_id > remote.peer_id)
        self._operations = Operations(remote.peer_id, host, puncher, backend, journal)
        self._owner = PathOwner(backend.serves)
        self._paths: dict[int, Path] = {}
        self._live: dict[int, _Live] = {}
        self._waiters: dict[int, _Waiter] = {}
        self._scopes: dict[int, trio.CancelScope] = {}
        self._watching = trio.CancelScope()
        self._numbers = count(1)
        self._generation = 0
        self._changed = trio.lowlevel.ParkingLot()
        self._nap = trio.CancelScope()
        self._nursery: trio.Nursery | None = None

    # What others see

    @property
    def state(self) -> str:
        """waiting, dialing, punching, relayed, direct or backoff."""
        return self._machine.state

    @property
    def reason(self) -> Reason | None:
        """Of the last failure, or why the path is no direct one."""
        return self._machine.waits_for

    @property
    def limit(self) -> CircuitLimit | None:
        """Of the circuit on which the session runs, or None."""
        current = self._machine.current
        live = None if current is None else self._live.get(current.session)
        return None if live is None else live.path.limit

    def progress(self) -> str:
        """How far the remote is from a session, as a clause."""
        return self.state if self.reason is None else f"{self.state} ({self.reason})"

    # Settings

    def aim(self, remote: Remote, policy: str, links: Sequence[RelayLink]) -> None:
        """Use these settings from now on."""
        self.remote, self._policy = remote, policy
        self._links = {link.peer_id: link for link in links}
        if self._nursery is not None:
            self._follow_settings()

    def _follow_settings(self) -> None:
        assert self._nursery is not None
        self._generation += 1
        self._watching.cancel()
        self._watching = trio.CancelScope()
        relays = tuple((peer, link.address.addr) for peer, link in self._links.items())
        self._tell(events.Aimed(self._generation, self._policy, relays))
        self._nursery.start_soon(self._watch_relays, list(self._links.values()), self._watching)

    def dismiss(self) -> None:
        """The remote is no longer wanted: what there is ends, and then `run`."""
        self._watching.cancel()
        self._do(self._machine.dismiss())

    def stop(self) -> None:
        """The node is stopping: nothing new is tried."""
        self._watching.cancel()
        self._do(self._machine.rest(Reason(NODE_STOPPING)))

    # Running

    async def run(self) -> None:
        """Keep the remote until it is dismissed."""
        with self._owner:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._follow_settings()
                while not (self._machine.done and not self._live):
                    with trio.CancelScope(deadline=self._machine.wake_at) as self._nap:
                        await trio.sleep_forever()
                    self._do(self._machine.tick(trio.current_time()))
                nursery.cancel_scope.cancel()
        self._nursery = None

    async def _watch_relays(self, links: Sequence[RelayLink], scope: trio.CancelScope) -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                for link in links:
                    nursery.start_soon(self._watch_relay, link)

    async def _watch_relay(self, link: RelayLink) -> None:
        while True:
            while link.live is None:
                self._tell(events.RelayDown(link.peer_id, link.keeper.reason or "not connected yet"))
                await link.changed()
            connection = await link.connection()
            self._tell(events.RelayUp(link.peer_id, connection.round_trip))
            await connection.closed.wait()

    def tell_remote_session(self, kind: str | None) -> None:
        """The remote has a session with us on a path of this kind, or none any more."""
        self._tell(events.RemoteSession(kind))

    def _tell(self, event: Event) -> None:
        self._do(self._machine.handle(event, trio.current_time()))

    def _do(self, commands: list[Command]) -> None:
        for command in commands:
            self._do_one(command)
        self._nap.cancel()
        self._changed.unpark_all()

    def _do_one(self, command: Command) -> None:
        match command:
            case events.OpenCircuit() | events.Punch() | events.OpenSession():
                self._begin(command)
            case events.Cancel():
                self._scopes.pop(command.op).cancel()
            case events.EndSession():
                self._start(self._end_session, command)
            case events.ClosePath():
                if command.grace:
                    self._start(self._close_path_later, command)
                else:
                    self._close_path(command)
            case events.CloseAll():
                for connection in self._host.connections.of(self.remote.peer_id):
                    connection.close(command.reason)
            case events.Answer():
                self._answer(command)
            case events.SayWaiting():
                peer, delay = self.remote.peer_id, command.delay
                self._journal.record(
                    milestones.DIAL_WAITING, peer=peer, relay=command.relay, delay=delay, run=command.run
                )
            case events.SayFallback():
                self._record(milestones.PATH_FALLBACK, command.reason, command.run)
            case events.SayFailed():
                self._record(milestones.DIAL_FAILED, command.reason, command.run)

    def _record(self, milestone: milestones.Milestone, reason: Reason, run: str | None) -> None:
        self._journal.record(milestone, peer=self.remote.peer_id, reason=str(reason), run=run)

    def _start(self, task: object, *arguments: object) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(task, *arguments)  # type: ignore[arg-type]

    # Operations

    def _begin(self, command: events.OpenCircuit | events.Punch | events.OpenSession) -> None:
        # Which path is meant is looked up now: the machine hears of a lost one in the same step in which it is dropped.
        work: Callable[[], Awaitable[Event]]
        match command:
            case events.OpenCircuit():
                work = partial(self._operations.open_circuit, command, self._links.get(command.relay), self._take)
            case events.Punch():
                work = partial(self._operations.punch, command, self._paths[command.circuit.id], self._take)
            case events.OpenSession():
                work = partial(self._open_session, command, self._paths.pop(command.path.id, None))
        scope = self._scopes[command.op] = trio.CancelScope()
        self._start(self._operate, command.op, work, scope)

    async def _operate(self, op: int, work: Callable[[], Awaitable[Event]], scope: trio.CancelScope) -> None:
        with scope:
            found = await work()
            self._scopes.pop(op, None)
            self._tell(found)

    def _take(self, connection: Connection) -> PathRef:
        """Own a connection that was just opened, and watch it."""
        path, number = self._owner.hold(connection), next(self._numbers)
        self._paths[number] = path
        self._start(self._watch_path, number, path)
        return PathRef(number, path.kind, path.relay)

    async def _watch_path(self, number: int, path: Path) -> None:
        await path.connection.closed.wait()
        if self._paths.pop(number, None) is not None:
            self._owner.hand_over(path)
            self._tell(events.PathLost(number))

    async def _open_session(
        self, command: events.OpenSession, path: Path | None
    ) -> events.SessionOpened | events.SessionRefused:
        if path is None:
            return events.SessionRefused(command.op, Reason(PATH_LOST, problem="the path was lost before its use"))
        opened = False
        try:
            found = await self._operations.open_session(command, path.connection)
            if isinstance(found, events.SessionRefused):
                return found
            number, live = next(self._numbers), _Live(found, path)
            self._live[number] = live
            self._start(self._watch_session, number, live)
            opened = True
            return events.SessionOpened(command.op, number)
        finally:
            if not opened:
                self._owner.close(path, "there is no session on it")

    async def _watch_session(self, number: int, live: _Live) -> None:
        connection = live.path.connection
        async with trio.open_nursery() as nursery:

            async def until(event: trio.Event) -> None:
                await event.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(until, live.session.closed)
            nursery.start_soon(until, connection.closed)
        starved = not live.ending and await self._operations.is_starved(connection)
        if connection.closed.is_set() and live.path.limit is not None:
            reason = Reason(CIRCUIT_LIMITED, problem=connection.reason, limit=in_words(live.path.limit))
        elif connection.closed.is_set():
            reason = Reason(PATH_LOST, problem=connection.reason)
        else:
            reason = Reason(SESSION_ENDED, problem=live.session.reason or "the session has ended")
        self._owner.close(live.path, "the session has ended")
        del self._live[number]
        self._tell(events.SessionEnded(number, reason, starved))

    async def _end_session(self, command: events.EndSession) -> None:
        live = self._live.get(command.session)
        if live is None:
            return
        live.ending = True
        if command.retire:
            await live.session.retire(command.reason)
            self._tell(events.SessionRetired(command.session))
            return
        with trio.move_on_after(DISCONNECT_SECONDS):
            await live.session.disconnect(command.reason)
        self._owner.close(live.path, command.reason)

    async def _close_path_later(self, command: events.ClosePath) -> None:
        path = self._paths.get(command.path.id)
        if path is not None:
            with trio.move_on_after(command.grace):
                await path.connection.closed.wait()
            self._close_path(command)

    def _close_path(self, command: events.ClosePath) -> None:
        path = self._paths.pop(command.path.id, None)
        if path is not None:
            self._owner.close(path, command.reason)

    # Requests

    async def fresh(self, request: SessionRequest) -> dict[str, object]:
        """A new session, from the dial through the relay on; what there is ends. Raises RequestFailed.

        If the time is over, the error says what was waited for.
        """
        number, waiter = next(self._numbers), _Waiter()
        self._waiters[number] = waiter
        try:
            with trio.fail_after(request.timeout):
                self._tell(events.Requested(number, request.policy, request.run))
                await waiter.done.wait()
                live, outcome = self._granted(waiter)
                if waiter.circuit is not None and outcome.path.kind == DIRECT:
                    await _circuit_gone(waiter.circuit)
                if request.stream:
                    await live.session.used()
        except trio.TooSlowError as error:
            reason = f"no session within {request.timeout:.0f} s: {self._lacking(waiter)}"
            self._journal.record(milestones.DIAL_FAILED, peer=self.remote.peer_id, reason=reason, run=request.run)
            raise RequestFailed(reason) from error
        except P2PError as error:
            raise RequestFailed(str(error)) from error
        finally:
            del self._waiters[number]
            if waiter.answer is None:
                self._tell(events.Abandoned(number))
        return reply(live.session, outcome, live.path.connection.id, self.remote.peer_id, request.run)

    def _answer(self, answer: events.Answer) -> None:
        waiter = self._waiters.get(answer.request)
        if waiter is None:
            return
        waiter.answer = answer.result
        if isinstance(answer.result, Outcome):
            waiter.live = self._live.get(answer.result.session)
            circuit = self._paths.get(answer.result.circuit.id)
            waiter.circuit = None if circuit is None else circuit.connection
        waiter.done.set()

    @staticmethod
    def _granted(waiter: _Waiter) -> tuple[_Live, Outcome]:
        if isinstance(waiter.answer, Outcome) and waiter.live is not None:
            return waiter.live, waiter.answer
        raise RequestFailed("the session ended at once" if waiter.answer is None else str(waiter.answer))

    def _lacking(self, waiter: _Waiter) -> str:
        if waiter.live is None:
            return f"{self.state} ({self.reason or 'no answer'})"
        return f"the path is up ({waiter.live.path.kind}), and no local program had an answer over it"

    async def direct_within(self, seconds: float) -> None:
        """Wait for a direct path while one is still possible, with a time limit."""
        with trio.move_on_after(seconds):
            self._tell(events.DirectWanted())
            while self.state != DIRECT and self._machine.improving:
                await self._changed.park()


async def _circuit_gone(circuit: Connection) -> None:
    """Wait until the relay has seen the end of the circuit, because the user will read the relay's counters."""
    await circuit.closed.wait()
    if circuit.under is None:
        return
    try:
        # Its answer comes behind the end of the circuit's stream, on the same connection.
        await circuit.under.ping()
    except ConnectionLost:
        return
