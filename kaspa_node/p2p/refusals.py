"""Who was not let in: counted always, logged in moderation."""

from __future__ import annotations

from collections.abc import Callable

from kaspa_node import milestones
from kaspa_node.journal import Journal

LOGGED_ONE_BY_ONE = 20
THEN_EVERY = 100


class Refusals:
    """Decides by a list, counts what it turns away, and tells the log.

    A stranger may knock as often as it likes: after the first few, only every hundredth refusal makes a line.
    count: refused since the start.
    """

    def __init__(self, permits: Callable[[str], bool], journal: Journal) -> None:
        self.count = 0
        self._permits = permits
        self._journal = journal

    def permit(self, peer: str, what: str) -> bool:
        """Whether `peer` may have `what`."""
        if self._permits(peer):
            return True
        self.count += 1
        if self.count <= LOGGED_ONE_BY_ONE or self.count % THEN_EVERY == 0:
            self._journal.record(milestones.PEER_REFUSED, what=what, peer=peer, count=self.count)
        return False
