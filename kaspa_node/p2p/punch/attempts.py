"""The attempts of one hole punch, and what comes of them. No socket, no clock.

One machine belongs to one relayed connection. The initiator is the side that sees the relayed connection as incoming:
it begins the attempts. The responder waits for them. docs/architecture.md draws the states.

A direct connection that exists before the punch counts only once it has answered a ping during the punch: the remote
that comes through the relay again has mostly lost it.
"""

from __future__ import annotations

from dataclasses import dataclass

from kaspa_node import reasons
from kaspa_node.constants import MAX_PUNCH_ATTEMPTS
from kaspa_node.reasons import Reason

INITIATOR = "initiator"
RESPONDER = "responder"

PAUSE_SECONDS = 0.5
# A remote may register the protocol later than it accepts the relayed connection. It is asked again after these pauses.
REFUSED_PAUSES = (2.0, 4.0, 8.0)
# An initiator begins at once. This is long enough for a lost message, and for the pauses between its attempts.
SILENCE_SECONDS = 15.0
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Check:
    """Ping the direct connections to the remote and close those without an answer; then call `checked`."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin an attempt; then call `planned`, `refused` or `failed`. spare: from a port that was never used."""

    attempt: int
    spare: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the attempt that the remote has begun; then call `planned` or `failed`."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Reset the stream on which the remote has begun an attempt."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial as planned; then call `up` or `failed`. small: with TCP segments that fit through every path."""

    attempt: int
    small: bool


@dataclass(frozen=True, slots=True)
class Take:
    """The attempt has ended well: the direct connection is its result. Stop dialing."""

    attempt: int
    connection: str


@dataclass(frozen=True, slots=True)
class Wake:
    """Call `tick` at `at` (seconds, the caller's clock). A later Wake replaces this one."""

    at: float


@dataclass(frozen=True, slots=True)
class Over:
    """The punch is over. connection: the direct connection, or None; then `reason` says why."""

    connection: str | None
    reason: Reason | None


Command = Check | Begin | Answer | Reject | Dial | Take | Wake | Over


class Attempts:
    """Tell it what happens, do what it returns.

    attempts: begun so far by either side; a question that the remote has refused is none.
    reason: why the last attempt failed. small: whether the next dial uses small segments.
    outcome: how the punch ended; None while it goes on, also when the remote begins one more attempt after the end.
    """

    def __init__(self, role: str, *, spare: bool = False, small: bool = False) -> None:
        self.attempts = 0
        self.reason: Reason | None = None
        self.small = small
        self.outcome: Over | None = None
        self._initiates = role == INITIATOR
        self._spare = spare
        # Attempts that have not ended; those that wait for the check, those that dial, and the one of this side.
        self._running: set[int] = set()
        self._planned: set[int] = set()
        self._dialing: set[int] = set()
        self._asking: int | None = None
        self._checking = False
        self._direct: str | None = None
        self._wake_at = NEVER
        self._refusals = 0
        self._refused = False
        self._named = False
        self._lost = False

    def begin(self, now: float, *, exists: bool) -> list[Command]:
        """The relayed connection is up. exists: there is a direct connection to the remote already."""
        if exists:
            self._checking = True
        commands: list[Command] = [Check()] if exists else []
        if not self._initiates:
            return [*commands, self._wake(now + SILENCE_SECONDS)]
        return commands or self._ask()

    # This side's attempts

    def _ask(self) -> list[Command]:
        self.attempts += 1
        self._running.add(self.attempts)
        self._asking = self.attempts
        self._refused = self._named = False
        self._wake_at = NEVER
        return [Begin(self.attempts, spare=self._spare or self.attempts > 1)]

    def refused(self, now: float) -> list[Command]:
        """The remote has answered `na`: it does not speak the protocol, or not yet."""
        attempt = self._asking
        if self._lost or attempt is None:
            return []
        self._running.discard(attempt)
        self._asking = None
        self.attempts -= 1
        self.reason = Reason(reasons.REFUSED_BY_REMOTE)
        if self.outcome is not None:
            return []
        if self._direct is not None or self._refusals == len(REFUSED_PAUSES):
            return self._end()
        self._refusals += 1
        if self._named:
            return self._ask()
        self._refused = True
        return [self._wake(now + REFUSED_PAUSES[self._refusals - 1])]

    def named(self) -> list[Command]:
        """The remote's identify push says that it speaks the protocol now."""
        if self._asking is not None:
            self._named = True
        return self._ask() if self._refused and self.outcome is None else []

    # The remote's attempts

    def began(self) -> list[Command]:
        """The remote has begun an attempt. Each is a round of dials to addresses of its choice: they are bounded."""
        if self._lost or self._asking is not None or self.attempts == MAX_PUNCH_ATTEMPTS:
            return [Reject()]
        if self.outcome is not None and self.outcome.connection is not None:
            # The remote did not get that connection: perhaps because the last message of its handshake is a large one.
            self.small = True
        commands: list[Command] = []
        if self._direct is not None and self.attempts:
            self._direct = None
            if not self._checking:
                self._checking = True
                commands.append(Check())
        self.attempts += 1
        self._running.add(self.attempts)
        self.outcome = None
        self._refused = False
        self._wake_at = NEVER
        return [*commands, Answer(self.attempts)]

    # Both

    def checked(self, alive: str | None) -> list[Command]:
        """The check is over. alive: a direct connection that has answered."""
        if self._lost or not self._checking:
            return []
        self._checking = False
        self._direct = self._direct or alive
        waiting, self._planned = sorted(self._planned), set()
        commands = [command for attempt in waiting for command in self._go(attempt)]
        return self._ask() if self._initiates and not self.attempts and not self._refusals else commands

    def planned(self, attempt: int) -> list[Command]:
        """The exchange of an attempt is done: both sides know what to dial, and when."""
        if attempt not in self._running:
            return []
        if attempt == self._asking:
            self._refusals = 0
        if self._checking and self._direct is None:
            self._planned.add(attempt)
            return []
        return self._go(attempt)

    def _go(self, attempt: int) -> list[Command]:
        if self._direct is not None:
            return self._take(attempt)
        self._dialing.add(attempt)
        return [Dial(attempt, self.small)]

    def _take(self, attempt: int) -> list[Command]:
        assert self._direct is not None
        self._settle(attempt)
        taken = Take(attempt, self._direct)
        return [taken] if self.outcome is not None else [taken, *self._end()]

    def failed(self, attempt: int, reason: Reason, now: float) -> list[Command]:
        """An attempt has failed, in its exchange or in its dial."""
        if attempt not in self._running:
            return []
        if self._direct is not None:
            return self._take(attempt)
        self._settle(attempt)
        self.reason = reason
        if reason.code == reasons.HANDSHAKE_TIMEOUT:
            self.small = True
        if self._running or self.outcome is not None:
            return []
        if self.attempts == MAX_PUNCH_ATTEMPTS:
            return self._end()
        return [self._wake(now + (PAUSE_SECONDS * self.attempts if self._initiates else SILENCE_SECONDS))]

    def _settle(self, attempt: int) -> None:
        for group in (self._running, self._planned, self._dialing):
            group.discard(attempt)
        if attempt == self._asking:
            self._asking = None

    def up(self, connection: str) -> list[Command]:
        """A direct connection to the remote is up, and its handshake has just been answered."""
        if self._lost:
            return []
        self._direct = connection
        if not self._running:
            # The responder has nothing else to wait for. The initiator's next attempt takes the connection.
            waits = self.outcome is None and self.attempts > 0 and not self._initiates
            return self._end() if waits else []
        commands: list[Command] = [] if self.outcome is not None else self._end()
        # An attempt whose exchange goes on takes the connection once it has its plan.
        for attempt in sorted(self._dialing | self._planned):
            self._settle(attempt)
            commands.append(Take(attempt, connection))
        return commands

    def down(self, connection: str) -> None:
        """A direct connection has ended."""
        if connection == self._direct:
            self._direct = None

    def tick(self, now: float) -> list[Command]:
        """Time has gone by."""
        if self._wake_at == NEVER or now < self._wake_at:
            return []
        self._wake_at = NEVER
        if self._initiates:
            return self._ask()
        self.reason = self.reason or Reason(reasons.REMOTE_SILENT)
        return self._end()

    def lost(self, why: str) -> list[Command]:
        """The relayed connection has ended, and with it every attempt."""
        if self._lost:
            return []
        self._lost = True
        for group in (self._running, self._planned, self._dialing):
            group.clear()
        self._wake_at = NEVER
        if self.outcome is not None:
            return []
        self.reason = Reason(reasons.CIRCUIT_LOST, why=why)
        return self._end()

    def _wake(self, at: float) -> Wake:
        self._wake_at = at
        return Wake(at)

    def _end(self) -> list[Command]:
        self._wake_at = NEVER
        self.outcome = Over(self._direct, None if self._direct is not None else self.reason)
        return [self.outcome]
