"""The connections that a host has now, and the observers of those that come and go."""

from __future__ import annotations

from collections.abc import Callable

from kaspa_node.p2p.channel.connection import DIRECT, Connection

Observer = Callable[[Connection], None]


class Connections:
    """A registry. up, down: called synchronously for each connection that comes or goes; they must not block."""

    def __init__(self) -> None:
        self.up: list[Observer] = []
        self.down: list[Observer] = []
        self._by_peer: dict[str, list[Connection]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_peer.values()))

    def __contains__(self, peer: object) -> bool:
        return peer in self._by_peer

    def add(self, connection: Connection) -> None:
        """A connection is up."""
        self._by_peer.setdefault(connection.remote, []).append(connection)
        for observer in self.up:
            observer(connection)

    def remove(self, connection: Connection) -> None:
        """A connection has ended."""
        group = self._by_peer.get(connection.remote, [])
        if connection in group:
            group.remove(connection)
        if not group:
            self._by_peer.pop(connection.remote, None)
        for observer in self.down:
            observer(connection)

    # Queries. A connection that has been closed and not removed yet counts as gone.

    def all(self) -> list[Connection]:
        """Every connection that is up."""
        return [c for group in self._by_peer.values() for c in group if not c.closed.is_set()]

    def of(self, peer: str) -> list[Connection]:
        """Those to one peer, the oldest first."""
        return [c for c in self._by_peer.get(peer, []) if not c.closed.is_set()]

    def to(self, peer: str, path: str | None = None) -> Connection | None:
        """The newest connection to `peer`, on `path` if one is named."""
        return next((c for c in reversed(self.of(peer)) if path in (None, c.route.path)), None)

    def named(self, peer: str, connection_id: str | None) -> Connection | None:
        """The connection to `peer` with that id."""
        return next((c for c in self.of(peer) if c.id == connection_id), None)

    def streams_of(self, peer: str) -> int:
        """The streams that one peer has opened to us, on all its connections."""
        return sum(connection.incoming_streams for connection in self.of(peer))

    def over(self, connection: Connection) -> list[Connection]:
        """The relayed connections that run over this connection to their relay."""
        return [c for c in self.all() if c.under is connection]

    def beside(self, connection: Connection) -> list[Connection]:
        """The other direct connections that come from the same port of ours."""
        direct = [c for c in self.all() if c.route.path == DIRECT]
        return [c for c in direct if c is not connection and c.route.local_port == connection.route.local_port]
