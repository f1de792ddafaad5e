"""A session of other programs: a path to a remote, and their streams on it."""

from __future__ import annotations

from collections.abc import Callable

import trio

from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.stream import Stream

BreakOff = Callable[[str, str], None]
"""Ends a stream, by its name, for a reason."""


class ExternalSession:
    """A connection to a remote and the streams on it.

    run: the verification that asked for it, or None; only the first stream belongs to it.
    closed: set when it is over; the owner of the path then closes the path.
    """

    def __init__(self, connection: Connection, run: str | None, break_off: BreakOff) -> None:
        self.connection = connection
        self.closed = trio.Event()
        self._run = run
        self._break_off = break_off
        self._first: Stream | None = None
        self._streams: set[Stream] = set()
        self._retired = False
        self.reason = ""
        self._used = trio.Event()

    @property
    def path(self) -> str:
        """DIRECT or RELAYED."""
        return self.connection.route.path

    @property
    def session(self) -> str | None:
        """The id of the first stream with bytes of the remote, else of the latest stream; None before any."""
        return None if self._first is None else self._first.name

    @property
    def handshake_seconds(self) -> None:
        """The programs do the handshake."""

    @property
    def first_byte_at(self) -> float | None:
        """When the first byte of the remote arrived on the first stream."""
        return None if self._first is None else self._first.first_byte_at

    @property
    def is_open(self) -> bool:
        """Whether new streams may use it."""
        return not (self._retired or self.closed.is_set() or self.connection.closed.is_set())

    def take(self, stream: Stream) -> str | None:
        """Note a stream that a local program uses; returns the run to which it belongs.

        Until the remote has sent a byte on one of them, each stream counts as the run's, because programs try again.
        """
        self._streams.add(stream)
        if self._used.is_set():
            return None
        self._first = stream
        return self._run

    async def watch(self, stream: Stream) -> None:
        """Wait until the remote has sent a byte on a noted stream."""
        await stream.heard.wait()
        if not self._used.is_set():
            self._first = stream
            self._used.set()

    def give_back(self, stream: Stream) -> None:
        """That stream is over."""
        self._streams.discard(stream)
        self._close_if_done()

    async def used(self) -> None:
        """Return when the remote has sent a byte on a stream. Raises ConnectionLost if the connection ends before."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_closed, nursery.cancel_scope)
            await self._used.wait()
            nursery.cancel_scope.cancel()
        self.connection.check()

    async def _until_closed(self, scope: trio.CancelScope) -> None:
        await self.connection.closed.wait()
        scope.cancel()

    async def disconnect(self, reason: str) -> None:
        """End it, with the streams on it."""
        self.reason = reason
        for stream in list(self._streams):
            self._break_off(stream.name, reason)
        self.closed.set()
        await trio.lowlevel.checkpoint()

    async def retire(self, reason: str) -> None:
        """Take no new streams; end with the last one."""
        self._retired, self.reason = True, reason
        self._close_if_done()
        await trio.lowlevel.checkpoint()

    def _close_if_done(self) -> None:
        if self._retired and not self._streams:
            self.closed.set()
