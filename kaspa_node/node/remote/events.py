"""The events and the commands of a remote's machine.

Each command that takes time has a number, `op`; its result names the same number. A result whose number is no longer
waited for is stale: what it brought is closed. `generation` counts the settings: a command belongs to those under which
it was given.
"""

from __future__ import annotations

from dataclasses import dataclass

from kaspa_node.reasons import Reason


@dataclass(frozen=True, slots=True)
class PathRef:
    """A path that the keeper holds. kind: DIRECT or RELAYED. relay: the peer id of the relay under a circuit."""

    id: int
    kind: str
    relay: str | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """The present session. since: when it was ready. asked: a request asked for it."""

    session: int
    path: PathRef
    since: float
    asked: bool


# Events


@dataclass(frozen=True, slots=True)
class Aimed:
    """The settings: the path policy, and the relays to dial through, in order, as peer id and address for messages."""

    generation: int
    policy: str
    relays: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RelayUp:
    """A relay is connected. round_trip: in seconds, or None while it was not measured."""

    relay: str
    round_trip: float | None


@dataclass(frozen=True, slots=True)
class RelayDown:
    """A relay is not connected."""

    relay: str
    reason: str


@dataclass(frozen=True, slots=True)
class CircuitOpened:
    """A circuit to the remote is open."""

    op: int
    path: PathRef


@dataclass(frozen=True, slots=True)
class CircuitRefused:
    """There is no circuit. missing: the relay holds no reservation of the remote."""

    op: int
    reason: Reason
    missing: bool


@dataclass(frozen=True, slots=True)
class PunchSucceeded:
    """There is a direct connection. attempts: hole punches begun."""

    op: int
    path: PathRef
    attempts: int


@dataclass(frozen=True, slots=True)
class PunchFailed:
    """There will be no direct connection."""

    op: int
    reason: Reason
    attempts: int


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A session is ready. It owns the path on which it runs: whatever ends the session closes the path."""

    op: int
    session: int


@dataclass(frozen=True, slots=True)
class SessionRefused:
    """No session came about. duplicate: the remote has one with us. starved: nothing came through the path."""

    op: int
    reason: Reason
    duplicate: bool = False
    starved: bool = False


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session is over, and its path is closed. starved: nothing came through the path any more."""

    session: int
    reason: Reason
    starved: bool = False


@dataclass(frozen=True, slots=True)
class SessionRetired:
    """A session that was to retire takes nothing new."""

    session: int


@dataclass(frozen=True, slots=True)
class PathLost:
    """A path that was opened has ended by itself."""

    path: int


@dataclass(frozen=True, slots=True)
class Requested:
    """Somebody asks for a fresh session. policy: another one than that of the settings, for this once."""

    request: int
    policy: str | None
    run: str | None


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Nobody waits for the answer to a request any more."""

    request: int


@dataclass(frozen=True, slots=True)
class RemoteSession:
    """The remote has opened a session with us, on a path of this kind; None: it has none any more."""

    kind: str | None


@dataclass(frozen=True, slots=True)
class DirectWanted:
    """Somebody waits for a direct path."""


Event = (
    Aimed
    | RelayUp
    | RelayDown
    | CircuitOpened
    | CircuitRefused
    | PunchSucceeded
    | PunchFailed
    | SessionOpened
    | SessionRefused
    | SessionEnded
    | SessionRetired
    | PathLost
    | Requested
    | Abandoned
    | RemoteSession
    | DirectWanted
)


# Commands


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """Open a circuit over `relay`. punch: the remote may begin a hole punch on it. Answer: Circuit…"""

    op: int
    generation: int
    relay: str
    punch: bool
    run: str | None


@dataclass(frozen=True, slots=True)
class Punch:
    """Wait for the hole punch that belongs to the circuit. Answer: Punch…"""

    op: int
    generation: int
    circuit: PathRef


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Open a session on `path`, which belongs to the session from then on, whatever comes of it. Answer: Session…"""

    op: int
    generation: int
    path: PathRef
    run: str | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give up what was asked for as `op`. No answer is needed."""

    op: int


@dataclass(frozen=True, slots=True)
class EndSession:
    """End a session; SessionEnded follows. retire: as soon as that harms nobody; SessionRetired follows first."""

    session: int
    reason: str
    retire: bool = False


@dataclass(frozen=True, slots=True)
class ClosePath:
    """Close a path, `grace` seconds later if the remote has not done so by then."""

    path: PathRef
    reason: str
    grace: float = 0.0


@dataclass(frozen=True, slots=True)
class CloseAll:
    """Close every connection to the remote, from either side."""

    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session came about. Times are on the caller's clock.

    started: the dial through the relay; relayed_at: the circuit was open; direct_at: the direct path was open, or None;
    ready_at: the session was ready. attempts: hole punches begun. not_direct: why the path is no direct one, or None.
    """

    session: int
    path: PathRef
    circuit: PathRef
    started: float
    relayed_at: float
    direct_at: float | None
    ready_at: float
    attempts: int
    not_direct: Reason | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a request."""

    request: int
    result: Outcome | Reason


@dataclass(frozen=True, slots=True)
class SayWaiting:
    """For the log: the relay has no reservation of the remote; it is asked again in `delay` seconds."""

    relay: str
    delay: float
    run: str | None


@dataclass(frozen=True, slots=True)
class SayFallback:
    """For the log: the session goes over the relay."""

    reason: Reason
    run: str | None


@dataclass(frozen=True, slots=True)
class SayFailed:
    """For the log: an attempt has failed."""

    reason: Reason
    run: str | None


Command = (
    OpenCircuit
    | Punch
    | OpenSession
    | Cancel
    | EndSession
    | ClosePath
    | CloseAll
    | Answer
    | SayWaiting
    | SayFallback
    | SayFailed
)
