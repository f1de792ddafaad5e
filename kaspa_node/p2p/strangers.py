"""Connections of peers that are not served here: kept short from their first frame, and ended soon."""

from __future__ import annotations

from collections.abc import Callable

import trio

from kaspa_node import milestones
from kaspa_node.journal import Journal, Moderation
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits, Places
from kaspa_node.p2p.budget import STRANGER, Budget, Budgets
from kaspa_node.p2p.channel.connection import DIRECT, Connection


class Strangers:
    """budgets: what their work is paid from. start_soon: runs a task as long as the host runs."""

    def __init__(self, limits: Limits, budgets: Budgets, start_soon: Callable[..., None], journal: Journal) -> None:
        self._limits = limits
        self._budgets = budgets
        self._start_soon = start_soon
        self._journal = journal
        self._places: Places[Connection] = Places(limits.strangers, limits.strangers_each)
        self._here: set[Connection] = set()
        self._moderation = Moderation()

    def __len__(self) -> int:
        return len(self._here)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._here

    def close_later(self, connection: Connection, reason: str) -> None:
        """End a connection that nobody here wants, once it had time to be refused, or at once to make room.

        Call it as an observer: a stranger is kept short from its first frame.
        """
        limits, now = self._limits, trio.current_time()
        ip = SocketAddress.parse(connection.route.remote).ip
        connection.restrict(limits.stranger_streams, limits.stranger_bytes)
        # Over a circuit, the address is that of the relay.
        is_direct = connection.route.path == DIRECT
        connection.budget = self._budgets.of_address(ip, now) if is_direct else Budget(STRANGER, now)
        self._here.add(connection)
        displaced = self._places.take(connection, ip)
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
        if connection not in self._here:
            return
        self._here.remove(connection)
        if not connection.overdrawn and self._moderation.due():
            self._journal.record(
                milestones.CONNECTION_REFUSED,
                peer=connection.remote,
                remote=connection.route.remote,
                reason=connection.reason,
                count=self._moderation.count,
            )
