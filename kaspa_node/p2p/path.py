"""Paths to remotes, and who owns them.

A path is a direct connection, or a circuit over a named relay connection. Whoever opens one owns it, until it is handed
over or closed; leaving the owner's scope closes what it still holds.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from kaspa_node.p2p.channel.connection import CircuitLimit, Connection

IsUsed = Callable[[Connection], bool]


def in_words(limit: CircuitLimit) -> str:
    """The limit of a circuit, as `3 s, 4096 bytes each way`."""
    seconds = [f"{limit.seconds} s"] if limit.seconds else []
    return ", ".join([*seconds, f"{limit.bytes} bytes each way"] if limit.bytes else seconds)


class Path:
    """A connection to a remote that was opened from here. is_used: whether streams still run on a connection."""

    def __init__(self, connection: Connection, is_used: IsUsed) -> None:
        self.connection = connection
        self._is_used = is_used

    @property
    def kind(self) -> str:
        """DIRECT or RELAYED."""
        return self.connection.route.path

    @property
    def relay(self) -> str | None:
        """The peer id of the relay under a circuit."""
        return self.connection.route.relay

    @property
    def limit(self) -> CircuitLimit | None:
        """What the relay lets through, or None for no limit."""
        return self.connection.route.limit

    def close(self, reason: str) -> None:
        """End the connection, unless somebody else's streams run on it: two peers that dial each other share one."""
        if not self._is_used(self.connection):
            self.connection.close(reason)


class PathOwner:
    """Holds the paths that it opened, in a `with` block. is_used: see Path."""

    def __init__(self, is_used: IsUsed) -> None:
        self._is_used = is_used
        self._held: set[Path] = set()

    def __enter__(self) -> PathOwner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in list(self._held):
            self.close(path, "its owner has ended")

    def hold(self, connection: Connection) -> Path:
        """Own a connection that was just opened."""
        path = Path(connection, self._is_used)
        self._held.add(path)
        return path

    def hand_over(self, path: Path) -> None:
        """Somebody else owns the path from now on."""
        self._held.discard(path)

    def close(self, path: Path, reason: str) -> None:
        """Close a path; nothing happens if it is not held."""
        if path in self._held:
            self._held.discard(path)
            path.close(reason)
