"""One attempt to get a session with a remote: relay, circuit, hole punch, session. No socket, no clock.

                     ┌───────── circuit refused: the next relay ─────────┐
                     ▼                                                   │
    SELECT ──relay up──▶ DIAL ──circuit open──▶ PUNCH ──direct──▶ OPEN ──ready──▶ opened
      ▲                    │ no reservation       │                ▲  │
      └──────time──────── WAIT                    └─failed─▶ (RETIRE) └─refused─▶ failed

SELECT waits for a relay that is up. WAIT waits for the remote's reservation. With the policy relay-only, and while the
direct path is barred, DIAL leads straight to OPEN. RETIRE comes in only if a relayed session moves to another relay:
Kaspa knows a relayed peer by one address, so the old session has to end before the new one begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kaspa_node.constants import DIRECT_ONLY, RELAY_ONLY
from kaspa_node.node.remote import events
from kaspa_node.node.remote.events import Command, Event, Outcome, PathRef
from kaspa_node.node.remote.relay_choice import RelayChoice
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED
from kaspa_node.reasons import (
    NO_DIRECT_PATH,
    NO_RELAY,
    NO_RELAY_CONFIGURED,
    NO_RESERVATION,
    NO_SESSION_YET,
    POLICY_RELAY_ONLY,
    RELAY_REFUSED,
    Reason,
)

SELECT, WAIT, DIAL, PUNCH, RETIRE, OPEN, OVER = "select", "wait", "dial", "punch", "retire", "open", "over"

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
# The circuit is closed this long after the session is ready on the direct connection: the remote may still be counting
# its own last bytes on it.
CIRCUIT_GRACE = 0.2


@dataclass(frozen=True, slots=True)
class Opened:
    """The attempt has brought a session."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Failed:
    """It has not. duplicate: the remote has a session with us. starved: nothing came through a direct path."""

    reason: Reason
    duplicate: bool = False
    starved: bool = False


@dataclass(frozen=True, slots=True)
class NotBetter:
    """The session that exists already is as good as a new one would be."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Replaced:
    """The session that is to be replaced, and its path."""

    session: int
    path: PathRef


class Attempt:
    """policy, run: of the session that is wanted. replaces: the session that exists already, or None.

    barred: why no hole punch is to be tried, or None. phase: one of the names above. reason: why it waits, or None.
    wake_at: when `advance` has something to do. path: the one for the session, once it is chosen.
    result: set once it is over.
    """

    def __init__(
        self,
        choice: RelayChoice,
        numbers: Iterator[int],
        generation: int,
        *,
        policy: str,
        run: str | None = None,
        request: int | None = None,
        replaces: Replaced | None = None,
        barred: Reason | None = None,
    ) -> None:
        self.phase = SELECT
        self.request = request
        self.reason: Reason | None = None
        self.wake_at = float("inf")
        self.result: Opened | Failed | NotBetter | None = None
        self.path: PathRef | None = None
        self.replaces = replaces
        self._choice = choice
        self._numbers = numbers
        self._generation = generation
        self._policy = policy
        self._run = run
        self._barred = None if policy == DIRECT_ONLY else barred
        self._op = 0
        self._relay = ""
        self._tried: set[str] = set()
        self._missing: list[str] = []
        self._problems: list[str] = []
        self._pause = FIRST_PAUSE
        self._circuit: PathRef | None = None
        self._circuit_lost = False
        self._started = self._relayed_at = 0.0
        self._direct_at: float | None = None
        self._attempts = 0
        self._not_direct: Reason | None = None

    @property
    def waits_for(self) -> int | None:
        """The number of the command whose result is waited for."""
        return self._op if self.phase in (DIAL, PUNCH, OPEN) else None

    @property
    def is_idle(self) -> bool:
        """Whether it serves no request, has opened nothing, and waits for a relay or for the remote."""
        return self.phase in (SELECT, WAIT) and self.request is None

    def advance(self, now: float) -> list[Command]:
        """Go on if a relay came up, or the time has come."""
        if self.phase == WAIT:
            if now >= self.wake_at:
                self._tried.clear()
                self._missing.clear()
                self._problems.clear()
            elif self._choice.best(self._tried, now) is None:
                return []
            self.wake_at = float("inf")
            self.phase = SELECT
        return self._select(now) if self.phase == SELECT else []

    def _select(self, now: float) -> list[Command]:
        if not len(self._choice):
            return self._fail(Reason(NO_RELAY_CONFIGURED))
        relay = self._choice.best(self._tried, now)
        if relay is not None:
            self.phase, self._relay, self._started, self._op = DIAL, relay, now, next(self._numbers)
            self._tried.add(relay)
            punch = self._policy != RELAY_ONLY and self._barred is None
            return [events.OpenCircuit(self._op, self._generation, relay, punch, self._run)]
        if not self._tried:
            self.reason = Reason(NO_RELAY, relays="; ".join(self._choice.not_up()))
            return []
        if self._missing and self.replaces is None:
            return self._wait(now)
        missing = [f"through {self._choice.label(relay)}: it has no reservation there" for relay in self._missing]
        answers = "; ".join([*self._problems, *missing, *self._choice.not_up(self._tried)])
        return self._fail(Reason(RELAY_REFUSED, answers=answers))

    def _wait(self, now: float) -> list[Command]:
        self.phase, self.wake_at = WAIT, now + self._pause
        self.reason = Reason(NO_RESERVATION)
        said = events.SayWaiting(self._missing[0], self._pause, self._run)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return [said]

    # Results

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take the result that is waited for, or the end of a path or session that belongs to the attempt."""
        match event:
            case events.CircuitOpened():
                return self._opened_circuit(event.path, now)
            case events.CircuitRefused():
                return self._refused_circuit(event, now)
            case events.PunchSucceeded():
                self._attempts, self._direct_at = event.attempts, now
                return self._open(event.path)
            case events.PunchFailed():
                return self._no_punch(event)
            case events.SessionOpened():
                return self._opened_session(event.session, now)
            case events.SessionRefused():
                return self._refused_session(event, now)
            case events.PathLost() if self._circuit is not None and event.path == self._circuit.id:
                self._circuit_lost = True
            case events.SessionRetired() | events.SessionEnded() if self._is_replaced(event.session):
                self.replaces = None
                if self.phase == RETIRE:
                    return self._open_now()
        return []

    def _is_replaced(self, session: int) -> bool:
        return self.replaces is not None and self.replaces.session == session

    def _opened_circuit(self, circuit: PathRef, now: float) -> list[Command]:
        self._circuit, self._circuit_lost, self._relayed_at, self.reason = circuit, False, now, None
        if self._policy == RELAY_ONLY:
            self._not_direct = Reason(POLICY_RELAY_ONLY)
            return self._open(circuit)
        if self._barred is not None:
            self._not_direct = self._barred
            return self._open(circuit)
        self.phase, self._op = PUNCH, next(self._numbers)
        return [events.Punch(self._op, self._generation, circuit)]

    def _refused_circuit(self, event: events.CircuitRefused, now: float) -> list[Command]:
        if event.missing:
            self._missing.append(self._relay)
        else:
            self._problems.append(f"through {self._choice.label(self._relay)}: {event.reason}")
            self._choice.failed(self._relay, now)
        self.phase = SELECT
        return self._select(now)

    def _no_punch(self, event: events.PunchFailed) -> list[Command]:
        self._attempts, self._not_direct = event.attempts, event.reason
        if self._policy == DIRECT_ONLY:
            problem = Reason(NO_DIRECT_PATH, why=event.reason)
            return [*self._close_circuit("no direct path, and the policy is direct-only"), *self._fail(problem)]
        circuit = self._circuit
        if circuit is None or self._circuit_lost:
            return self._fail(event.reason)
        said = events.SayFallback(event.reason, self._run)
        if self.replaces is not None and self.replaces.path.relay in self._choice:
            self.phase, self.result = OVER, NotBetter(event.reason)
            return [said, *self._close_circuit("not needed: still no direct path")]
        return [said, *self._open(circuit)]

    def _open(self, path: PathRef) -> list[Command]:
        self.path = path
        if self.replaces is not None and path.kind == RELAYED == self.replaces.path.kind:
            self.phase = RETIRE
            return [events.EndSession(self.replaces.session, "moved to another relay", retire=True)]
        return self._open_now()

    def _open_now(self) -> list[Command]:
        assert self.path is not None
        if self.path == self._circuit:
            self._circuit = None
        self.phase, self._op = OPEN, next(self._numbers)
        self.reason = Reason(NO_SESSION_YET, path=self.path.kind)
        return [events.OpenSession(self._op, self._generation, self.path, self._run)]

    def _opened_session(self, session: int, now: float) -> list[Command]:
        assert self.path is not None
        self._choice.worked(self._relay)
        circuit = self._circuit or self.path
        self.result = Opened(
            Outcome(
                session=session,
                path=self.path,
                circuit=circuit,
                started=self._started,
                relayed_at=self._relayed_at,
                direct_at=self._direct_at,
                ready_at=now,
                attempts=self._attempts,
                not_direct=self._not_direct,
            )
        )
        self.phase = OVER
        return self._close_circuit("the session runs over the direct connection", CIRCUIT_GRACE)

    def _refused_session(self, event: events.SessionRefused, now: float) -> list[Command]:
        assert self.path is not None
        if event.starved and self.path.kind == RELAYED:
            self._choice.failed(self._relay, now)
        starved = event.starved and self.path.kind == DIRECT
        closing = self._close_circuit("there is no session")
        return [*closing, *self._fail(event.reason, duplicate=event.duplicate, starved=starved)]

    # The end

    def cancel(self, reason: str) -> list[Command]:
        """Give it up; what it has opened is closed."""
        ended: list[Command] = [] if self.waits_for is None else [events.Cancel(self._op)]
        if self.phase == RETIRE and self.path is not None and self.path != self._circuit:
            ended.append(events.ClosePath(self.path, reason))
        self.phase = OVER
        return [*ended, *self._close_circuit(reason)]

    def _fail(self, reason: Reason, *, duplicate: bool = False, starved: bool = False) -> list[Command]:
        self.phase, self.result = OVER, Failed(reason, duplicate, starved)
        return []

    def _close_circuit(self, reason: str, grace: float = 0.0) -> list[Command]:
        circuit, self._circuit = self._circuit, None
        return [] if circuit is None or self._circuit_lost else [events.ClosePath(circuit, reason, grace)]
