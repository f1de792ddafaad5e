"""The embedded Kaspa peer: on each stream this program has a session of its own."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import trio

from kaspa_node import bridge, milestones
from kaspa_node.errors import RequestFailed, shown
from kaspa_node.journal import Journal
from kaspa_node.kaspa.config import KaspaConfig, Transport
from kaspa_node.kaspa.errors import KaspaError, PeerUnavailable
from kaspa_node.kaspa.peer_session import LINGER, KaspaSession
from kaspa_node.kaspa.service import ABSTRACT_CALLER, KaspaService
from kaspa_node.node.backends.base import STREAM_PROTOCOLS, Backend, KaspaStream, Session, session_row, transport_of
from kaspa_node.node.requests import ExerciseRequest
from kaspa_node.p2p.channel.connection import DIRECT, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.host import Host
from kaspa_node.reasons import NODE_STOPPING, Reason
from kaspa_node.settings import Settings

# A stream on which gRPC opens no call in this time is given up. grpcio has limits of its own, and does not always keep
# them: it may read on without an end if the bytes are no HTTP/2.
CALL_SECONDS = 15.0


class EmbeddedSession:
    """A ready Kaspa session of the embedded peer."""

    def __init__(self, kaspa: KaspaSession, stream: Stream) -> None:
        self.closed = kaspa.closed
        self._kaspa = kaspa
        self._stream = stream

    @property
    def reason(self) -> str:
        """Why it is over."""
        return self._kaspa.close_reason or ""

    @property
    def session(self) -> str:
        """Its id."""
        return self._kaspa.transport.session

    @property
    def handshake_seconds(self) -> float | None:
        """Opening of the Kaspa stream to Ready."""
        return self._kaspa.handshake_seconds

    @property
    def first_byte_at(self) -> float | None:
        """When the first byte of the remote arrived."""
        return self._stream.first_byte_at

    async def used(self) -> None:
        """A ready session has bytes of the remote."""
        await trio.lowlevel.checkpoint()

    async def disconnect(self, reason: str) -> None:
        """Close the session and wait until nothing is left of it."""
        await self._kaspa.disconnect(reason)

    async def retire(self, reason: str) -> None:
        """Disconnect: the new session continues what this one did."""
        await self._kaspa.disconnect(reason)


class EmbeddedBackend(Backend):
    """Runs the sessions of the embedded Kaspa peer over unix sockets in the directory `runtime`."""

    def __init__(
        self, host: Host, config: KaspaConfig, may_open: Callable[[str], bool], runtime: Path, journal: Journal
    ) -> None:
        super().__init__(host, may_open, journal)
        self._kaspa = KaspaService(config, journal, self._let_go, self._ready, self._refused)
        self._runtime = runtime
        self._server = runtime / "kaspa.sock"
        self._callers: dict[str, Transport] = {}
        self._nursery: trio.Nursery | None = None
        self._rejected: set[str] = set()

    async def start(self, nursery: trio.Nursery) -> None:
        """Serve the embedded Kaspa peer in `nursery`. Raises ListenError."""
        self._nursery = nursery
        await nursery.start(self._kaspa.run)
        await nursery.start(self._kaspa.serve, str(self._server), self._callers.get)

    async def stop(self) -> None:
        """End the sessions, with a reason for the remotes."""
        await self.end(dict.fromkeys(self._kaspa.sessions, str(Reason(NODE_STOPPING))))

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """New sessions will use the settings."""

        def commit() -> None:
            self._kaspa.config = dataclasses.replace(self._kaspa.config, ping_interval=settings.ping_interval)

        return commit

    async def end(self, sessions: Mapping[str, str]) -> None:
        """Close sessions; a stream without a call is reset."""
        async with trio.open_nursery() as nursery:
            for session, reason in sessions.items():
                kaspa, kaspa_stream = self._kaspa.sessions.get(session), self.streams.get(session)
                if kaspa is not None:
                    nursery.start_soon(kaspa.disconnect, reason)
                elif kaspa_stream is not None:
                    kaspa_stream.stream.reset()

    def _let_go(self, session: KaspaSession) -> None:
        """End the stream of a session that is over: grpcio would keep its connection for another ten seconds."""
        kaspa_stream = self.streams.get(session.transport.session)
        if kaspa_stream is not None:
            kaspa_stream.stream.reset()
        if session.applied_protocol is not None:
            for observer in self.observers.closed:
                observer(session.transport.peer)

    def _ready(self, session: KaspaSession) -> None:
        for observer in self.observers.ready:
            observer(session.transport.peer)

    def _refused(self, transport: Transport) -> None:
        """End a stream whose call was refused: when the peer could read why, or, if it calls once more, at once."""
        kaspa_stream = self.streams.get(transport.session)
        if kaspa_stream is None:
            return
        if transport.session in self._rejected or self._nursery is None:
            kaspa_stream.stream.reset()
        else:
            self._rejected.add(transport.session)
            self._nursery.start_soon(self._reset_soon, kaspa_stream.stream)

    async def _reset_soon(self, stream: Stream) -> None:
        with trio.move_on_after(LINGER):
            await stream.given_up()
        stream.reset()

    @property
    def refused(self) -> int:
        """Streams, and sessions for which the peer's share or the whole had no room."""
        return super().refused + self._kaspa.refused

    def incoming_path(self, peer: str) -> str | None:
        """The path of a ready session that the peer has opened, the direct one if there are two."""
        ready = [s.transport for s in self._kaspa.sessions.values() if s.state == "ready"]
        paths = {t.path for t in ready if t.peer == peer and t.direction == "incoming"}
        return DIRECT if DIRECT in paths else next(iter(paths), None)

    async def _accept(self, stream: Stream) -> None:
        transport = transport_of(stream, "incoming")
        name = f"kaspa-node-{secrets.token_hex(8)}"
        caller = ABSTRACT_CALLER + name
        self._accepted(stream, transport, None)
        self._callers[caller] = transport
        self.streams[transport.session] = KaspaStream(stream, transport, None, time.time())
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._expect_call, stream, transport)
                await self._deliver(stream, name)
                nursery.cancel_scope.cancel()
        finally:
            del self._callers[caller]
            del self.streams[transport.session]
            self._rejected.discard(transport.session)

    async def _deliver(self, stream: Stream, name: str) -> None:
        try:
            await bridge.deliver(stream, self._server, name)
        except OSError as error:
            self._journal.error("the embedded Kaspa peer can't be reached on its socket: %s", error)

    async def _expect_call(self, stream: Stream, transport: Transport) -> None:
        """Give up a stream on which no call comes; once there is one, its session keeps the time."""
        await trio.sleep(CALL_SECONDS)
        if transport.session not in self._kaspa.sessions:
            self._journal.debug("stream %s of %s is given up: no call on it", transport.session, transport.peer)
            stream.reset()

    async def open(self, connection: Connection, run: str | None) -> Session:
        """A session with the peer at the end of `connection`, ready. Raises P2PError, KaspaError."""
        assert self._nursery is not None
        stream = await self._host.protocols.open(connection, STREAM_PROTOCOLS)
        transport = transport_of(stream, "outgoing")
        offer = bridge.Offer(self._runtime, stream)
        try:
            await offer.open()
        except OSError as error:
            # The system's text names the socket, which tells nobody anything.
            raise PeerUnavailable((error.strerror or type(error).__name__).lower()) from error
        self.streams[transport.session] = KaspaStream(stream, transport, run, time.time())
        self._nursery.start_soon(self._run_offer, offer, transport.session)
        self._opened(stream, transport, run, None)
        return EmbeddedSession(await self._kaspa.connect(offer.target, transport), stream)

    async def _run_offer(self, offer: bridge.Offer, session: str) -> None:
        try:
            await offer.run()
        finally:
            del self.streams[session]

    async def exercise(self, request: ExerciseRequest) -> dict[str, object]:
        """Pings over a session, with the bytes that the stream counted. Raises RequestFailed."""
        session, kaspa_stream = self._kaspa.sessions.get(request.session), self.streams.get(request.session)
        if session is None or kaspa_stream is None:
            raise RequestFailed(f"no session {shown(request.session)} is open here; `kaspa-node status` lists them")
        stream = kaspa_stream.stream
        sent, received = stream.bytes_sent, stream.bytes_received
        try:
            seconds = await session.ping(request.pings, request.timeout)
        except KaspaError as error:
            raise RequestFailed(str(error)) from error
        self._journal.record(
            milestones.SESSION_EXERCISED,
            peer=session.transport.peer,
            session=request.session,
            pings=request.pings,
            run=kaspa_stream.run,
        )
        return {
            "session": request.session,
            "pings": request.pings,
            "seconds": round(seconds, 4),
            "bytes_sent": stream.bytes_sent - sent,
            "bytes_received": stream.bytes_received - received,
        }

    def sessions(self) -> list[dict[str, Any]]:
        """The sessions, with what their handshakes have agreed on."""
        return [
            session_row(session.transport, self.streams.get(session.transport.session))
            | {
                "state": session.state,
                "since": session.since,
                "applied_protocol": session.applied_protocol,
                "user_agent": session.user_agent,
            }
            for session in self._kaspa.sessions.values()
        ]

    def status(self) -> None:
        """The backend is not external."""
