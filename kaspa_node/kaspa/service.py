"""The Kaspa node: every session, inbound over one local socket, outbound over a socket for each."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import trio

from kaspa_node import milestones
from kaspa_node.journal import Journal, Moderation
from kaspa_node.kaspa.budget import SESSION
from kaspa_node.kaspa.config import KaspaConfig, Transport
from kaspa_node.kaspa.errors import HandshakeFailed
from kaspa_node.kaspa.grpc_client import open_stream
from kaspa_node.kaspa.grpc_server import Refusal, Server
from kaspa_node.kaspa.hub import Hub
from kaspa_node.kaspa.link import Link
from kaspa_node.kaspa.peer_session import LINGER, KaspaSession

if TYPE_CHECKING:
    # trio's stubs of that package, which libp2p brings along, hide trio.TaskStatus from type checkers.
    from trio_typing import TaskStatus

TransportOf = Callable[[str], Transport | None]

ABSTRACT_CALLER = "unix-abstract:"
"""What grpcio puts before the name of a caller whose socket is bound to an abstract name."""

_GRACE = LINGER + 0.5
"""Seconds that a stopping server leaves its sessions to close by themselves."""


class KaspaService:
    """Runs sessions. `run` must be running for `serve` and `connect`: it holds their tasks.

    on_ready: called with a session whose handshake is done.
    on_refused: called with the transport of a call that becomes no session. The caller still gets to know why.
    on_closed: called with a session when nothing is left of it, whether or not it ever was ready, so that its
    stream can be ended.
    """

    def __init__(
        self,
        config: KaspaConfig,
        journal: Journal,
        on_closed: Callable[[KaspaSession], None] = lambda session: None,
        on_ready: Callable[[KaspaSession], None] = lambda session: None,
        on_refused: Callable[[Transport], None] = lambda transport: None,
    ) -> None:
        self.config = config
        self._journal = journal
        self._on_closed = on_closed
        self._on_ready = on_ready
        self._on_refused = on_refused
        self._hub = Hub()
        self._sessions: dict[str, KaspaSession] = {}
        self._nursery: trio.Nursery | None = None
        self._refusals = Moderation()

    @property
    def refused(self) -> int:
        """Inbound sessions for which there was no room, since the start."""
        return self._refusals.count

    @property
    def sessions(self) -> Mapping[str, KaspaSession]:
        """The sessions by id, from the opening of their streams until nothing is left of them."""
        return MappingProxyType(self._sessions)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold the sessions until cancelled; then close them, all within about a second."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    async def serve(
        self,
        socket_path: str,
        transport_of: TransportOf,
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Take calls on the unix socket `socket_path` (mode 0600) until cancelled. Raises ListenError.

        transport_of: asked once for each call, in the trio thread, with the caller as grpcio names it: for a client
        socket bound to the abstract name `x` that is `unix-abstract:x`. None refuses the call.
        """

        def on_call(caller: str, link: Link) -> Refusal | None:
            transport = transport_of(caller)
            if transport is None:
                return Refusal("unknown caller", by_reject=False)
            refusal = self._refusal(transport)
            if refusal is not None:
                self._on_refused(transport)
            elif self._nursery is not None:
                self._start(self._nursery, transport, link)
            return refusal

        server = Server(on_call, self.config.max_inbound, self.config.max_message_bytes)
        _remove_socket(socket_path)
        await server.start(socket_path)
        try:
            os.chmod(socket_path, 0o600)
            task_status.started()
            await server.run()
        finally:
            await server.stop(_GRACE)
            _remove_socket(socket_path)

    async def connect(self, target: str, transport: Transport) -> KaspaSession:
        """Open a session over the server at `target` (`unix:PATH`) and wait until it is ready.

        Raises HandshakeFailed with the reason. If it is cancelled, it closes the session.
        """
        if transport.session in self._sessions:
            raise HandshakeFailed(f"session {transport.session} is open already")
        if self._nursery is None:
            raise HandshakeFailed("this node is shutting down")
        session = self._start(self._nursery, transport, open_stream(target, self.config.max_message_bytes))
        try:
            await session.ready()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await session.disconnect("given up by this side")
            raise
        return session

    def _refusal(self, transport: Transport) -> Refusal | None:
        """Why a call becomes no session, or None."""
        if transport.session in self._sessions:
            return Refusal(f"session {transport.session} is open already", by_reject=False)
        if self._nursery is None:
            return Refusal("shutting down", by_reject=False)
        lacking = self._no_room(transport)
        if lacking is None:
            return None
        self._refuse(transport, lacking)
        return Refusal(lacking, by_reject=True)

    def _no_room(self, transport: Transport) -> str | None:
        """Why there is no room for one more inbound session, or None."""
        inbound = [session.transport.peer for session in self._sessions.values() if session.transport.inbound]
        if inbound.count(transport.peer) >= self.config.max_inbound_per_peer:
            return f"too many sessions with this peer: {self.config.max_inbound_per_peer} at a time"
        if len(inbound) >= self.config.max_inbound:
            return f"too many inbound sessions: {self.config.max_inbound} at a time"
        now = trio.current_time()
        budget = self._hub.budget(transport.peer, now)
        if budget.wait(now):
            return "too many sessions in a short time; try again later"
        budget.spend(now, SESSION)
        return None

    def _refuse(self, transport: Transport, reason: str) -> None:
        if self._refusals.due():
            self._journal.record(
                milestones.SESSION_REFUSED,
                peer=transport.peer,
                reason=reason,
                addr=transport.address,
                count=self.refused,
            )

    def _start(self, nursery: trio.Nursery, transport: Transport, link: Link) -> KaspaSession:
        session = KaspaSession(self.config, transport, link, self._hub, self._journal, self._on_ready)
        self._sessions[transport.session] = session
        nursery.start_soon(self._run, session)
        return session

    async def _run(self, session: KaspaSession) -> None:
        try:
            await session.run()
        finally:
            del self._sessions[session.transport.session]
            self._on_closed(session)


def _remove_socket(path: str) -> None:
    """Remove a socket left over by an earlier run; any other kind of file stays, and binding says so."""
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        return
