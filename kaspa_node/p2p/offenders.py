"""Peers and addresses that ask for more work than their share: always counted, logged ever more rarely."""

from __future__ import annotations

from kaspa_node import milestones
from kaspa_node.journal import Journal, Moderation

# Offenders whose number of offences is known; the one that was idle for longest is forgotten first.
MOST_KNOWN = 1024


class Offenders:
    """Makes a line for the first offence of each, then for its tenth, hundredth, thousandth and so on.

    count: offences since the start.
    """

    def __init__(self, journal: Journal) -> None:
        self.count = 0
        self._journal = journal
        self._known: dict[str, int] = {}
        # Addresses are cheap: if there are very many offenders, not each of them makes a line.
        self._first = Moderation()

    def note(self, who: str, what: str) -> None:
        """who: an address of strangers, or the id of a peer that is served. what: of it was ended."""
        self.count += 1
        count = self._known.pop(who, 0) + 1
        self._known[who] = count
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        if self._first.due() if count == 1 else str(count).rstrip("0") == "1":
            self._journal.record(milestones.WORK_REFUSED, what=what, who=who, count=count)
