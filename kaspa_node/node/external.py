"""An external backend: other programs speak Kaspa, and their connections are carried unchanged.

A stream that a remote opens is spliced to the backend's address. For each remote a door stands open on this machine:
a connection to it becomes a stream to the remote, on the path that the remote's keeper holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from kaspa_node import bridge, milestones
from kaspa_node.errors import RequestFailed
from kaspa_node.journal import Journal
from kaspa_node.node import local_sockets
from kaspa_node.node.backend import Backend
from kaspa_node.node.carriage import STREAM_PROTOCOLS, Carriage, Carried, Standing, carrier_of, session_row
from kaspa_node.node.requests import ExerciseRequest
from kaspa_node.node.way import Way
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import ConnectionLost, P2PError
from kaspa_node.p2p.host import Host
from kaspa_node.settings.values import AllowList, LocalAddress, Remote

if TYPE_CHECKING:
    # trio's stubs of that package, which libp2p brings along, hide trio.TaskStatus from type checkers.
    from trio_typing import TaskStatus

# tonic, under kaspad, gives a call ten seconds until the response's headers: a longer wait would serve nobody.
WAIT_SECONDS = 10.0
MAX_CALLERS = 256

Progress = Callable[[str], str]


class ExternalCarriage(Carriage):
    """Splices streams to other programs' sockets.

    progress: how far the way to a peer is, as a clause for the log.
    """

    def __init__(
        self,
        host: Host,
        backend: LocalAddress | None,
        remotes: Sequence[Remote],
        allow: AllowList,
        progress: Progress,
        journal: Journal,
    ) -> None:
        super().__init__(host, allow, journal)
        self._backend = Backend(backend, journal)
        self._remotes = remotes
        self._progress = progress
        self._ways: dict[str, Way] = {}
        self._changed = trio.Event()

    async def start(self, nursery: trio.Nursery) -> None:
        """Open the door of each remote. Raises ListenError."""
        for remote in self._remotes:
            if remote.listen is not None:
                await nursery.start(self._keep_door, remote, remote.listen)

    async def stop(self) -> None:
        """Nothing is said here: the programs at both ends see their connections end."""
        await trio.lowlevel.checkpoint()

    # Streams that remotes open

    async def _accept(self, stream: Stream) -> None:
        try:
            local = await self._backend.connect()
        except OSError as error:
            self._journal.debug("stream %s of %s: no backend: %s", stream.name, stream.remote, error)
            stream.reset()
            return
        carrier = carrier_of(stream, "incoming")
        self._accepted(stream, carrier, local_sockets.own_name(local))
        await self._splice(local, Carried(stream, carrier, None, time.time()))

    # Streams to remotes

    async def _keep_door(
        self, remote: Remote, address: LocalAddress, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        slots = trio.CapacityLimiter(MAX_CALLERS)
        with local_sockets.listening(address, f"`listen` of the remote {remote.name}") as listener:
            self._journal.record(milestones.REMOTE_LISTENING, addr=str(address), name=remote.name, peer=remote.peer_id)
            task_status.started()
            await trio.serve_listeners(partial(self._let_in, remote, slots), [listener])

    async def _let_in(self, remote: Remote, slots: trio.CapacityLimiter, local: trio.SocketStream) -> None:
        try:
            slots.acquire_nowait()
        except trio.WouldBlock:
            self._turn_away(remote, local, f"{MAX_CALLERS} connections to it stand already")
            return
        try:
            await self._carry(remote, local)
        finally:
            slots.release()

    async def _carry(self, remote: Remote, local: trio.SocketStream) -> None:
        try:
            with trio.fail_after(WAIT_SECONDS):
                way, stream = await self._stream_to(remote.peer_id)
        except trio.TooSlowError:
            waited = f"not reached within {WAIT_SECONDS:.0f} s: {self._progress(remote.peer_id)}"
            self._turn_away(remote, local, waited)
            return
        except P2PError as error:
            self._turn_away(remote, local, str(error))
            return
        carrier = carrier_of(stream, "outgoing")
        run = way.take(stream)
        self._opened(stream, carrier, run, local_sockets.caller_name(local))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(way.watch, stream)
                await self._splice(local, Carried(stream, carrier, run, time.time()))
                nursery.cancel_scope.cancel()
        finally:
            way.give_back(stream)

    async def _stream_to(self, peer: str) -> tuple[Way, Stream]:
        """A stream on the way to `peer`, once there is one. Raises P2PError."""
        while True:
            way = self._ways.get(peer)
            if way is None or way.closed.is_set():
                await self._changed.wait()
                continue
            try:
                return way, await self._host.open_stream(way.connection, STREAM_PROTOCOLS)
            except ConnectionLost:
                continue

    def _turn_away(self, remote: Remote, local: trio.SocketStream, reason: str) -> None:
        self._journal.record(milestones.REMOTE_UNREACHED, name=remote.name, peer=remote.peer_id, reason=reason)
        local_sockets.abort(local)

    # Both

    async def _splice(self, local: trio.SocketStream, carried: Carried) -> None:
        carrier, stream = carried.carrier, carried.stream
        self.carried[carrier.session] = carried
        reason = "stopped here"
        try:
            reason = await bridge.splice(local, stream)
        finally:
            del self.carried[carrier.session]
            self._journal.record(
                milestones.STREAM_CLOSED,
                peer=carrier.peer,
                session=carrier.session,
                path=carrier.path,
                reason=reason,
                sent=stream.bytes_sent,
                received=stream.bytes_received,
            )

    async def open(self, connection: Connection, run: str | None) -> Standing:
        """Make `connection` the way to its remote; who waits at the door goes on."""
        way = self._ways[connection.remote] = Way(connection, run)
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
        return way

    async def exercise(self, request: ExerciseRequest) -> dict[str, object]:
        """Not ours to do."""
        raise RequestFailed("the backend is external: its sessions are its own, and this node can't ping over them")

    def sessions(self) -> list[dict[str, Any]]:
        """The streams that are carried; what the programs at their ends have agreed on is not known here."""
        return [
            session_row(carried.carrier, carried)
            | {"state": "carried", "since": carried.since, "applied_protocol": None, "user_agent": None}
            for carried in self.carried.values()
        ]

    def backend(self) -> dict[str, Any]:
        """How the backend is."""
        return self._backend.status()
