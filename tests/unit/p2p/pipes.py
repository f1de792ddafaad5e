"""Pipes in memory, and connections over them."""

from __future__ import annotations

import trio

from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, OUTGOING, Connection, Route
from kaspa_node.p2p.channel.upgrade import Upgrade
from kaspa_node.p2p.errors import ConnectionLost
from tests.unit.p2p.parties import keys


class MemoryPipe:
    """One end of a pipe. capacity: bytes that may wait for the other end; frozen: what is sent vanishes."""

    def __init__(self, capacity: int) -> None:
        self.frozen = False
        self.other: MemoryPipe
        self._capacity = capacity
        self._arrived = bytearray()
        self._ended = False
        self._aborted = False
        self._changed = trio.lowlevel.ParkingLot()

    @property
    def waiting(self) -> int:
        """Bytes that have arrived and were not received yet."""
        return len(self._arrived)

    async def receive(self) -> bytes:
        """Some bytes; empty once the other end is gone."""
        while not self._arrived:
            self._check()
            if self._ended:
                return b""
            await self._changed.park()
        data = bytes(self._arrived[:65536])
        del self._arrived[:65536]
        self.other._changed.unpark_all()
        return data

    def try_send(self, data: bytes | memoryview) -> int:
        """Send as far as the other end has room."""
        self._check()
        if self.frozen:
            return len(data)
        taken = min(len(data), self._capacity - len(self.other._arrived))
        self.other._arrived += data[:taken]
        self.other._changed.unpark_all()
        return taken

    async def wait_writable(self) -> None:
        """Return once there is room."""
        while len(self.other._arrived) >= self._capacity:
            self._check()
            await self._changed.park()
        self._check()

    def abort(self) -> None:
        """Give it up; the other end sees the end."""
        self._aborted = self.other._ended = True
        self._changed.unpark_all()
        self.other._changed.unpark_all()

    def _check(self) -> None:
        if self._aborted:
            raise ConnectionLost("closed here")


def connected(capacity: int = 1 << 20) -> tuple[Connection, Connection]:
    """Both ends of a connection, not running yet: the dialer's, the listener's."""
    pipes = MemoryPipe(capacity), MemoryPipe(capacity)
    pipes[0].other, pipes[1].other = pipes[1], pipes[0]
    dialer, listener = Upgrade(keys(1), initiator=True), Upgrade(keys(2), initiator=False)
    listener.receive(dialer.receive(listener.receive(dialer.opening())))
    ends = ((pipes[0], dialer, OUTGOING), (pipes[1], listener, INCOMING))
    ours, theirs = (Connection(p, u, Route(DIRECT, way, "10.0.0.1:1", "10.0.0.2:2")) for p, u, way in ends)
    return ours, theirs


def pipe_of(connection: Connection) -> MemoryPipe:
    """The pipe under a connection."""
    pipe = connection._pipe
    assert isinstance(pipe, MemoryPipe)
    return pipe
