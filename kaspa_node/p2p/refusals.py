"""Refusals: all are counted, some are logged."""

from __future__ import annotations

from collections.abc import Callable

from kaspa_node import milestones
from kaspa_node.journal import Journal, Moderation


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
