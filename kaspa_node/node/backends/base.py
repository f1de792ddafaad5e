"""What every backend does: it opens and accepts Kaspa streams, for the embedded Kaspa peer or another program."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import trio

from kaspa_node import milestones
from kaspa_node.journal import Journal
from kaspa_node.kaspa.config import Direction, Transport
from kaspa_node.kaspa.synthetic import socket_address
from kaspa_node.node.requests import ExerciseRequest
from kaspa_node.p2p.channel.connection import DIRECT, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.refusals import Refusals
from kaspa_node.settings import Settings

# The newest first: the one of the fork's current branches, then the one of the first proof of concept. Both are served
# and offered.
STREAM_PROTOCOLS = ("/kaspad/transport/1.0.0", "/kaspa/p2p/bridge/1.0")


@dataclass(frozen=True, slots=True)
class KaspaStream:
    """A stream and the session above it. run: the verification that asked for it, or None; since: unix time."""

    stream: Stream
    transport: Transport
    run: str | None
    since: float

    @property
    def connection(self) -> Connection:
        """The connection of the stream."""
        return self.stream.connection


class Session(Protocol):
    """A session with a remote: a Kaspa session of our own, or a path that other programs use for theirs.

    closed: set when it is over.
    """

    closed: trio.Event

    @property
    def reason(self) -> str:
        """Why it is over, or an empty text if nobody has said."""
        ...

    @property
    def session(self) -> str | None:
        """The id of its Kaspa stream, of the first if there are several; None while there is none."""
        ...

    @property
    def handshake_seconds(self) -> float | None:
        """Seconds from the opening of the Kaspa stream to Ready; None if other programs do the handshake."""
        ...

    @property
    def first_byte_at(self) -> float | None:
        """When the first byte of the remote arrived on the stream (trio's clock), or None."""
        ...

    async def used(self) -> None:
        """Return when the remote has sent a byte. Raises P2PError if the connection ends before."""
        ...

    async def disconnect(self, reason: str) -> None:
        """End it now."""
        ...

    async def retire(self, reason: str) -> None:
        """Another session replaces it: end as soon as nobody uses it any more."""
        ...


STREAMS_PER_PEER = 16
"""Streams that one remote may have opened at a time.

The embedded peer accepts fewer sessions than that, so that a remote with too many still learns why one is refused. Each
stream has a local socket before anything of it was read.
"""

Observer = Callable[[str], None]
"""Takes a peer id. It is called in the middle of what it observes, so it only notes or wakes."""


@dataclass(frozen=True, slots=True)
class SessionObservers:
    """Called when a session with a peer is ready, of either direction, and when nothing is left of it."""

    ready: list[Observer] = field(default_factory=list)
    closed: list[Observer] = field(default_factory=list)


class Backend(ABC):
    """Opens and accepts Kaspa streams, from peers that `may_open` allows.

    streams: the open ones, by session id. refusals: of other peers. observers: of Kaspa sessions; an external
    backend has none to report.
    """

    def __init__(self, host: Host, may_open: Callable[[str], bool], journal: Journal) -> None:
        self.streams: dict[str, KaspaStream] = {}
        self.refusals = Refusals(may_open, journal)
        self.observers = SessionObservers()
        self._incoming: Counter[str] = Counter()
        self._overfull = 0
        self._host = host
        self._journal = journal
        for protocol in STREAM_PROTOCOLS:
            host.protocols.serve(protocol, self._take, self._permits)

    @abstractmethod
    async def start(self, nursery: trio.Nursery) -> None:
        """Start the backend in `nursery`. Raises ListenError."""

    @abstractmethod
    def prepare(self, settings: Settings) -> Callable[[], None]:
        """Prepare for settings, after `start`; returns what applies them, to be called at once. Raises ListenError.

        If it raises, nothing has changed.
        """

    @abstractmethod
    async def end(self, sessions: Mapping[str, str]) -> None:
        """End sessions, ids with their reasons, and wait until nothing is left of them."""

    @abstractmethod
    async def stop(self) -> None:
        """End the sessions in order, with a reason for the remotes."""

    @abstractmethod
    async def open(self, connection: Connection, run: str | None) -> Session:
        """A session with the peer at the other end of `connection`. Raises P2PError, KaspaError, OSError."""

    @abstractmethod
    async def exercise(self, request: ExerciseRequest) -> dict[str, object]:
        """Pings over a session. Raises RequestFailed."""

    @abstractmethod
    def sessions(self) -> list[dict[str, Any]]:
        """The open sessions, as `kaspa-node status` shows them."""

    @abstractmethod
    def status(self) -> dict[str, Any] | None:
        """The state of the external backend, as `kaspa-node status` shows it; None if the backend is embedded."""

    @abstractmethod
    async def _accept(self, stream: Stream) -> None:
        """Serve a stream that a remote has opened."""

    async def _take(self, stream: Stream) -> None:
        """Accept a stream that a remote has opened, if that remote has not used up its share."""
        if self._incoming[stream.remote] >= STREAMS_PER_PEER:
            self._overfull += 1
            stream.reset()
            return
        self._incoming[stream.remote] += 1
        try:
            await self._accept(stream)
        finally:
            self._incoming[stream.remote] -= 1
            if not self._incoming[stream.remote]:
                del self._incoming[stream.remote]

    @property
    def refused(self) -> int:
        """Kaspa streams and sessions that were refused, since the start."""
        return self.refusals.count + self._overfull

    def incoming_path(self, peer: str) -> str | None:
        """DIRECT or RELAYED, if that peer has opened a session that is ready; DIRECT if it has both.

        None if it has not, and always with an external backend: there other programs have the sessions.
        """
        return None

    def serves(self, connection: Connection) -> bool:
        """Whether a Kaspa stream that the remote opened is on that connection."""
        streams = (s for s in self.streams.values() if s.connection is connection)
        return any(stream.transport.direction == "incoming" for stream in streams)

    def uses(self, connection: Connection) -> bool:
        """Whether a Kaspa stream is open on that connection."""
        return any(kaspa_stream.connection is connection for kaspa_stream in self.streams.values())

    def _permits(self, peer: str) -> bool:
        return self.refusals.permit(peer, "Kaspa stream")

    def _opened(self, stream: Stream, transport: Transport, run: str | None, caller: str | None) -> None:
        """caller: the address of the local program, or None if that is this one."""
        self._journal.record(
            milestones.STREAM_OPENED,
            peer=transport.peer,
            session=transport.session,
            conn=stream.connection.id,
            path=transport.path,
            protocol=stream.protocol,
            run=run,
            caller=caller,
        )

    def _accepted(self, stream: Stream, transport: Transport, caller: str | None) -> None:
        """caller: the address from which another program is called, or None for the embedded peer."""
        self._journal.record(
            milestones.STREAM_ACCEPTED,
            peer=transport.peer,
            session=transport.session,
            conn=stream.connection.id,
            path=transport.path,
            protocol=stream.protocol,
            caller=caller,
        )


def transport_of(stream: Stream, direction: Direction) -> Transport:
    """What the Kaspa layer needs to know of a stream."""
    route = stream.connection.route
    address = route.remote if route.path == DIRECT else socket_address(stream.remote, route.path)
    return Transport(stream.name, stream.remote, route.path, direction, address)


def session_row(transport: Transport, kaspa_stream: KaspaStream | None) -> dict[str, Any]:
    """The part of a session's row in `kaspa-node status` that its stream gives."""
    row: dict[str, Any] = {
        "session": transport.session,
        "conn": transport.session.partition(".")[0],
        "peer_id": transport.peer,
        "direction": transport.direction,
        "path": transport.path,
        "address": transport.address,
        "run": None,
        "local": None,
        "remote": None,
        "bytes_sent": 0,
        "bytes_received": 0,
    }
    if kaspa_stream is not None:
        row |= {
            "run": kaspa_stream.run,
            "local": kaspa_stream.connection.route.local,
            "remote": kaspa_stream.connection.route.remote,
            "bytes_sent": kaspa_stream.stream.bytes_sent,
            "bytes_received": kaspa_stream.stream.bytes_received,
        }
    return row
