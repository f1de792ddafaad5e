"""Refusals: all are counted, some are logged."""

from __future__ import annotations

from collections.abc import Callable

from kaspa_node import milestones
from kaspa_node.journal import Journal

LOGGED_ONE_BY_ONE = 20
THEN_EVERY = 100


class Moderation:
    """Which of many events of one kind make a line in the log: the first few, then every hundredth.

    count: events so far.
    """

    def __init__(self) -> None:
        self.count = 0

    def due(self) -> bool:
        """Count one more event; whether it makes a line."""
        self.count += 1
        return self.count <= LOGGED_ONE_BY_ONE or self.count % THEN_EVERY == 0


class Refusals:
    """Decides by the allow list, counts the refusals, and logs some of them."""

    def __init__(self, permits: Callable[[str], bool], journal: Journal) -> None:
        self._permits = permits
        self._journal = journal
        self._moderation = Moderation()

    @property
    def count(self) -> int:
        """Refused since the start."""
        return self._moderation.count

    def permit(self, peer: str, what: str) -> bool:
        """Whether `peer` may have `what`."""
        if self._permits(peer):
            return True
        if self._moderation.due():
            self._journal.record(milestones.PEER_REFUSED, what=what, peer=peer, count=self.count)
        return False
