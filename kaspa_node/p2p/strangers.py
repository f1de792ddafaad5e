"""Connections of peers that are not served here: kept short from their first frame, and ended soon."""

from __future__ import annotations

from collections.abc import Callable

import trio

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits, Places
from kaspa_node.p2p.channel.connection import Connection


class Strangers:
    """start_soon: runs a task as long as the host runs."""

    def __init__(self, limits: Limits, start_soon: Callable[..., None]) -> None:
        self._limits = limits
        self._start_soon = start_soon
        self._places: Places[Connection] = Places(limits.strangers, limits.strangers_each)

    def __len__(self) -> int:
        return len(self._places)

    def close_later(self, connection: Connection, reason: str) -> None:
        """End a connection that nobody here wants, once it had time to be refused, or at once to make room.

        Call it as an observer: a stranger is kept short from its first frame.
        """
        connection.restrict(self._limits.stranger_streams)
        displaced = self._places.take(connection, SocketAddress.parse(connection.route.remote).ip)
        if displaced is not None:
            displaced.close("another stranger took its place")
        self._start_soon(self._wait_and_close, connection, reason)

    async def _wait_and_close(self, connection: Connection, reason: str) -> None:
        with trio.move_on_after(self._limits.stranger):
            await connection.closed.wait()
        connection.close(reason)

    def leave(self, connection: Connection) -> None:
        """The connection has ended; nothing happens if it was no stranger's."""
        self._places.leave(connection)
