"""An external backend: other programs speak Kaspa, and their connections are carried unchanged.

A stream that a remote opens is spliced to the backend's address. For each remote a door stands open on this machine:
a connection to it becomes a stream to the remote, on the path that the remote's keeper holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import trio

from kaspa_node import bridge, milestones
from kaspa_node.errors import RequestFailed
from kaspa_node.journal import Journal
from kaspa_node.node import local_sockets
from kaspa_node.node.backend import Backend
from kaspa_node.node.carriage import STREAM_PROTOCOLS, Carriage, Carried, Standing, carrier_of, session_row
from kaspa_node.node.doors import Doors
from kaspa_node.node.requests import ExerciseRequest
from kaspa_node.node.way import Way
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import ConnectionLost, P2PError
from kaspa_node.p2p.host import Host
from kaspa_node.settings import Settings
from kaspa_node.settings.values import LocalAddress, Remote

# tonic, under kaspad, gives a call ten seconds until the response's headers: a longer wait would serve nobody.
WAIT_SECONDS = 10.0
Progress = Callable[[str], str]


class _End:
    """How a stream that is carried is ended from here. over: set when it is."""

    def __init__(self) -> None:
        self.reason = "stopped here"
        self.scope = trio.CancelScope()
        self.over = trio.Event()


class ExternalCarriage(Carriage):
    """Splices streams to other programs' sockets.

    progress: how far the way to a peer is, as a clause for the log.
    """

    def __init__(
        self,
        host: Host,
        backend: LocalAddress | None,
        may_open: Callable[[str], bool],
        progress: Progress,
        journal: Journal,
    ) -> None:
        super().__init__(host, may_open, journal)
        self._backend = Backend(backend, journal)
        self._doors = Doors(self._carry, self._turn_away, journal)
        self._progress = progress
        self._nursery: trio.Nursery | None = None
        self._ends: dict[str, _End] = {}
        self._ways: dict[str, Way] = {}
        self._changed = trio.Event()

    async def start(self, nursery: trio.Nursery) -> None:
        """The doors are those of the settings that come."""
        self._nursery = nursery
        await trio.lowlevel.checkpoint()

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """Open the doors of new remotes. Raises ListenError."""
        assert self._nursery is not None
        doors = self._doors.prepare(self._nursery, settings.remotes)
        remotes = {remote.peer_id for remote in settings.remotes}

        def commit() -> None:
            doors()
            for peer in self._ways.keys() - remotes:
                way = self._ways.pop(peer)
                if not self.uses(way.connection):
                    way.connection.close("no longer the way to a remote")

        return commit

    async def end(self, sessions: Mapping[str, str]) -> None:
        """Break off what is carried; the programs at both ends see an error."""
        for session, reason in sessions.items():
            if (end := self._ends.get(session)) is not None:
                end.reason = reason
                end.scope.cancel()
        for session in sessions:
            if (end := self._ends.get(session)) is not None:
                await end.over.wait()

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
        end = self._ends[carrier.session] = _End()
        reason = ""
        try:
            with end.scope:
                reason = await bridge.splice(local, stream)
        finally:
            del self.carried[carrier.session]
            del self._ends[carrier.session]
            end.over.set()
            self._journal.record(
                milestones.STREAM_CLOSED,
                peer=carrier.peer,
                session=carrier.session,
                path=carrier.path,
                reason=reason or end.reason,
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
