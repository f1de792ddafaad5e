"""An external backend: other programs speak Kaspa, and their connections are bridged unchanged.

A stream that a remote opens is spliced to the backend's address. Each remote has a local forward on this machine:
a connection to it becomes a stream to the remote, on the path of the remote's session.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import trio

from kaspa_node import bridge, milestones
from kaspa_node.control import endpoint
from kaspa_node.errors import RequestFailed
from kaspa_node.journal import Journal
from kaspa_node.node.backends import local_sockets
from kaspa_node.node.backends.base import STREAM_PROTOCOLS, Backend, KaspaStream, Session, session_row, transport_of
from kaspa_node.node.backends.external_session import ExternalSession
from kaspa_node.node.backends.forwards import LocalForwards
from kaspa_node.node.backends.program import ExternalProgram
from kaspa_node.node.requests import ExerciseRequest
from kaspa_node.p2p.channel.connection import RELAYED, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import ConnectionLost, P2PError
from kaspa_node.p2p.host import Host
from kaspa_node.settings import Settings
from kaspa_node.settings.values import LocalAddress, Remote

# tonic, which kaspad uses, waits ten seconds for the headers of a response. A local connection waits longer only if
# `wait_for_direct` says so.
WAIT_SECONDS = 10.0


class RemoteView(Protocol):
    """What this backend asks of the remotes."""

    def progress(self, peer: str) -> str:
        """How far a remote is from a session, as a clause."""
        ...

    async def direct_within(self, peer: str, seconds: float) -> None:
        """Wait for a direct path to a remote while an attempt runs, at most so many seconds."""
        ...


class _End:
    """Ends a bridged stream from this side. over: set when the stream has ended."""

    def __init__(self) -> None:
        self.reason = "stopped here"
        self.scope = trio.CancelScope()
        self.over = trio.Event()


class ExternalBackend(Backend):
    """Splices streams to other programs' sockets.

    remotes: returns the remotes, which are made after the backend.
    """

    def __init__(
        self,
        host: Host,
        backend: LocalAddress | None,
        may_open: Callable[[str], bool],
        remotes: Callable[[], RemoteView],
        journal: Journal,
    ) -> None:
        super().__init__(host, may_open, journal)
        self._program = ExternalProgram(backend, journal)
        self._forwards = LocalForwards(self._forward, self._refuse, journal)
        self._remotes = remotes
        self._wait_for_direct = 0.0
        self._nursery: trio.Nursery | None = None
        self._ends: dict[str, _End] = {}
        self._sessions: dict[str, ExternalSession] = {}
        self._changed = trio.Event()

    async def start(self, nursery: trio.Nursery) -> None:
        """Nothing is to be started: `prepare` opens the local forwards."""
        self._nursery = nursery
        await trio.lowlevel.checkpoint()

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """Open the local forwards of new remotes. Raises ListenError."""
        assert self._nursery is not None
        forwards = self._forwards.prepare(self._nursery, settings.remotes)
        remotes = {remote.peer_id for remote in settings.remotes}

        def commit() -> None:
            forwards()
            self._wait_for_direct = float(settings.wait_for_direct)
            for peer in self._sessions.keys() - remotes:
                del self._sessions[peer]

        return commit

    async def end(self, sessions: Mapping[str, str]) -> None:
        """Break off streams; the programs at both ends see an error."""
        for session, reason in sessions.items():
            self._break_off(session, reason)
        for session in sessions:
            if (end := self._ends.get(session)) is not None:
                await end.over.wait()

    def _break_off(self, session: str, reason: str) -> None:
        if (end := self._ends.get(session)) is not None:
            end.reason = reason
            end.scope.cancel()

    async def stop(self) -> None:
        """The programs at both ends see their connections end."""
        await trio.lowlevel.checkpoint()

    # Streams that remotes open

    async def _accept(self, stream: Stream) -> None:
        try:
            local = await self._program.connect()
        except OSError as error:
            self._journal.debug("stream %s of %s: no backend: %s", stream.name, stream.remote, error)
            stream.reset()
            return
        transport = transport_of(stream, "incoming")
        self._accepted(stream, transport, local_sockets.own_name(local))
        await self._splice(local, KaspaStream(stream, transport, None, time.time()))

    # Streams to remotes

    async def _forward(self, remote: Remote, local: trio.SocketStream) -> None:
        seconds = max(WAIT_SECONDS, self._wait_for_direct)
        try:
            with trio.fail_after(seconds) as waiting:
                session, stream = await self._stream_to(remote.peer_id, local, waiting.deadline)
        except trio.TooSlowError:
            waited = f"not reached within {seconds:.0f} s: {self._remotes().progress(remote.peer_id)}"
            self._refuse(remote, local, waited)
            return
        except (P2PError, BrokenPipeError) as error:
            self._refuse(remote, local, str(error))
            return
        transport = transport_of(stream, "outgoing")
        run = session.take(stream)
        self._opened(stream, transport, run, local_sockets.caller_name(local))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.watch, stream)
                await self._splice(local, KaspaStream(stream, transport, run, time.time()))
                nursery.cancel_scope.cancel()
        finally:
            session.give_back(stream)

    async def _stream_to(self, peer: str, local: trio.SocketStream, deadline: float) -> tuple[ExternalSession, Stream]:
        """A stream on the session to `peer`, once there is one. Raises P2PError, BrokenPipeError if `local` hung up.

        HTTP/2 can't be moved: what begins on the relay stays there. So a direct path is waited for, if that is wanted.
        """
        patience = min(deadline - 1.0, trio.current_time() + self._wait_for_direct)
        while True:
            session = self._sessions.get(peer)
            if session is None or not session.is_open:
                await self._changed.wait()
                continue
            if session.path == RELAYED and (left := patience - trio.current_time()) > 0:
                patience = float("-inf")
                await self._remotes().direct_within(peer, left)
                continue
            if endpoint.hung_up(local.socket.fileno()):
                # The remote allows a number of streams: none of them is for a program that is gone.
                raise BrokenPipeError("the local program hung up while it waited")
            try:
                stream = await self._host.protocols.open(session.connection, STREAM_PROTOCOLS)
            except ConnectionLost:
                continue
            if session.is_open:
                return session, stream
            # The session has moved meanwhile, and this path ends.
            stream.reset()

    def _refuse(self, remote: Remote, local: trio.SocketStream, reason: str) -> None:
        self._journal.record(milestones.REMOTE_UNREACHED, name=remote.name, peer=remote.peer_id, reason=reason)
        local_sockets.abort(local)

    # Both

    async def _splice(self, local: trio.SocketStream, kaspa_stream: KaspaStream) -> None:
        transport, stream = kaspa_stream.transport, kaspa_stream.stream
        self.streams[transport.session] = kaspa_stream
        end = self._ends[transport.session] = _End()
        reason = ""
        try:
            with end.scope:
                reason = await bridge.splice(local, stream)
        finally:
            del self.streams[transport.session]
            del self._ends[transport.session]
            end.over.set()
            self._journal.record(
                milestones.STREAM_CLOSED,
                peer=transport.peer,
                session=transport.session,
                path=transport.path,
                reason=reason or end.reason,
                sent=stream.bytes_sent,
                received=stream.bytes_received,
            )

    async def open(self, connection: Connection, run: str | None) -> Session:
        """A session over `connection`; local connections that wait for one continue."""
        session = self._sessions[connection.remote] = ExternalSession(connection, run, self._break_off)
        self._journal.record(
            milestones.PATH_READY,
            peer=connection.remote,
            conn=connection.id,
            path=connection.route.path,
            run=run,
        )
        self._changed.set()
        self._changed = trio.Event()
        await trio.lowlevel.checkpoint()
        return session

    async def exercise(self, request: ExerciseRequest) -> dict[str, object]:
        """The sessions belong to other programs, so this node can't ping over them."""
        raise RequestFailed("the backend is external: its sessions are its own, and this node can't ping over them")

    def sessions(self) -> list[dict[str, Any]]:
        """The bridged streams. What the programs at their ends have agreed on is not known here."""
        return [
            session_row(kaspa_stream.transport, kaspa_stream)
            | {"state": "carried", "since": kaspa_stream.since, "applied_protocol": None, "user_agent": None}
            for kaspa_stream in self.streams.values()
        ]

    def status(self) -> dict[str, Any]:
        """The state of the backend."""
        return self._program.status()
