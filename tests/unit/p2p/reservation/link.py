"""A keeper with what its link knows: whether there is a connection."""

from __future__ import annotations

from kaspa_node.p2p.reservation.keeper import Action, ReservationKeeper


class LinkedKeeper(ReservationKeeper):
    """up: whether there is a connection."""

    up = False

    def ask(self, now: float) -> Action:
        """What to do now."""
        return self.next(now, connected=self.up)

    def connected(self) -> None:
        """A connection was made."""
        self.up = True
        super().connected()

    def lost(self, reason: str, now: float) -> bool:
        """It has ended."""
        self.up = False
        return super().lost(reason, now)
