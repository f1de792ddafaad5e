"""A keeper without trio: does what the machine of a remote asks for, as the test wants it to come out."""

from __future__ import annotations

from itertools import count

from kaspa_node.constants import PREFER_DIRECT
from kaspa_node.node.remote import events
from kaspa_node.node.remote.events import PathRef
from kaspa_node.node.remote.machine import RemoteMachine
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED
from kaspa_node.reasons import SESSION_ENDED, Reason

RELAYS = (("r1", "relay-1:4011"), ("r2", "relay-2:4011"))
WHY = Reason(SESSION_ENDED, problem="no answer")

Operation = events.OpenCircuit | events.Punch | events.OpenSession


class World:
    """now: the clock. waiting: the command whose result is due. paths: open ones. sessions: their paths, by number.

    late: results that arrive although what asked for them was cancelled.
    """

    def __init__(self, *, yields: bool = False, jitter: float = 0.0) -> None:
        self.now = 1000.0
        self.machine = RemoteMachine(jitter=lambda: jitter, yields=yields)
        self.generation = 0
        self.policy = PREFER_DIRECT
        self.waiting: Operation | None = None
        self.late: list[Operation] = []
        self.paths: dict[int, PathRef] = {}
        self.sessions: dict[int, PathRef] = {}
        self.ending: list[events.EndSession] = []
        self.answers: dict[int, events.Outcome | Reason] = {}
        self.said: list[events.Command] = []
        self.dialed: list[tuple[float, str]] = []
        self._ids = count(1)

    # What happens

    def tell(self, event: events.Event) -> None:
        """Tell the machine, and do at once what takes no time."""
        self.do(self.machine.handle(event, self.now))

    def aim(self, policy: str = PREFER_DIRECT, relays: tuple[tuple[str, str], ...] = RELAYS) -> None:
        """Other settings."""
        self.generation += 1
        self.policy = policy
        self.tell(events.Aimed(self.generation, policy, relays))

    def up(self, *relays: str) -> None:
        """These relays are connected."""
        for relay in relays:
            self.tell(events.RelayUp(relay, 0.05))

    def sleep(self, seconds: float) -> None:
        """Time goes by; the machine is woken whenever it wants to be."""
        until = self.now + seconds
        for _ in range(10_000):
            if self.machine.wake_at > until:
                break
            self.now = max(self.now, self.machine.wake_at)
            self.do(self.machine.tick(self.now))
            assert self.machine.wake_at > self.now, "the machine spins"
        self.now = until

    def do(self, commands: list[events.Command]) -> None:
        """Carry commands out, as far as they take no time."""
        assert len(commands) < 20
        for command in commands:
            self._do(command)
        assert self.machine.wake_at > self.now, "the machine spins"

    def _do(self, command: events.Command) -> None:
        match command:
            case events.OpenCircuit() | events.Punch() | events.OpenSession():
                assert self.waiting is None, "one thing at a time"
                assert command.generation == self.generation
                self.waiting = command
                if isinstance(command, events.OpenCircuit):
                    self.dialed.append((self.now, command.relay))
                if isinstance(command, events.OpenSession):
                    assert command.path.id in self.paths, "a session needs a path that is open"
            case events.Cancel():
                assert self.waiting is not None
                assert self.waiting.op == command.op
                if isinstance(self.waiting, events.OpenSession):
                    del self.paths[self.waiting.path.id]
                else:
                    self.late.append(self.waiting)
                self.waiting = None
            case events.EndSession():
                if command.session in self.sessions:
                    self.ending.append(command)
            case events.ClosePath():
                assert command.path.id in self.paths, "a path is closed once"
                del self.paths[command.path.id]
            case events.CloseAll():
                for path in [p for p in self.paths.values() if p not in self.sessions.values()]:
                    self.lose(path)
            case events.Answer():
                assert command.request not in self.answers, "a request is answered once"
                self.answers[command.request] = command.result
            case _:
                self.said.append(command)

    # How things come out

    def _path(self, kind: str, relay: str | None) -> PathRef:
        path = PathRef(next(self._ids), kind, relay)
        self.paths[path.id] = path
        return path

    def succeed(self, operation: Operation | None = None) -> None:
        """What is waited for, or a late operation, comes out well."""
        if operation is None:
            operation, self.waiting = self.waiting, None
        match operation:
            case events.OpenCircuit():
                self.tell(events.CircuitOpened(operation.op, self._path(RELAYED, operation.relay)))
            case events.Punch():
                self.tell(events.PunchSucceeded(operation.op, self._path(DIRECT, None), 1))
            case events.OpenSession():
                session = next(self._ids)
                self.sessions[session] = operation.path
                self.tell(events.SessionOpened(operation.op, session))
            case None:
                raise AssertionError("nothing is waited for")

    def fail(self, *, missing: bool = False, duplicate: bool = False, starved: bool = False) -> None:
        """It does not."""
        operation, self.waiting = self.waiting, None
        match operation:
            case events.OpenCircuit():
                self.tell(events.CircuitRefused(operation.op, WHY, missing))
            case events.Punch():
                self.tell(events.PunchFailed(operation.op, WHY, 3))
            case events.OpenSession():
                del self.paths[operation.path.id]
                self.tell(events.SessionRefused(operation.op, WHY, duplicate, starved))
            case None:
                raise AssertionError("nothing is waited for")

    def lose(self, path: PathRef) -> None:
        """A path without a session ends."""
        del self.paths[path.id]
        self.tell(events.PathLost(path.id))

    def end(self, session: int, *, starved: bool = False) -> None:
        """A session ends, and its path with it."""
        del self.paths[self.sessions.pop(session).id]
        self.ending = [each for each in self.ending if each.session != session]
        self.tell(events.SessionEnded(session, WHY, starved))

    def finish_ending(self) -> None:
        """What was asked to end does so."""
        while self.ending:
            command = self.ending.pop(0)
            if command.retire:
                self.tell(events.SessionRetired(command.session))
            if command.session in self.sessions:
                self.end(command.session)

    def settle(self, steps: int = 60) -> None:
        """Everything comes out well from now on."""
        for _ in range(steps):
            self.finish_ending()
            if self.waiting is not None:
                self.succeed()
            elif self.machine.wake_at < float("inf") and self.machine.state != DIRECT:
                self.sleep(self.machine.wake_at - self.now)
            else:
                break


def ready(policy: str = PREFER_DIRECT) -> World:
    """A world that has dialed over its first relay."""
    world = World()
    world.aim(policy)
    world.up("r1", "r2")
    return world


def direct() -> World:
    """A world with a direct session."""
    world = ready()
    world.settle()
    assert world.machine.state == DIRECT
    return world


def relayed() -> World:
    """A world whose hole punch has failed."""
    world = ready()
    world.succeed()
    world.fail()
    world.succeed()
    assert world.machine.state == RELAYED
    return world
