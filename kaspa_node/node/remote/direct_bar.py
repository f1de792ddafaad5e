"""A direct path that failed under data soon after it was opened is not used for a while. The while grows."""

from __future__ import annotations

from kaspa_node.reasons import PATH_FAILED_UNDER_DATA, Reason

FIRST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0


class DirectBar:
    """Bars direct paths. until: the end of the last bar. reason: of the last bar."""

    def __init__(self) -> None:
        self.until = float("-inf")
        self.reason: Reason | None = None
        self._next = FIRST_SECONDS

    def put_up(self, why: Reason, now: float) -> None:
        """A direct path has failed."""
        seconds, self._next = self._next, min(self._next * 2, LONGEST_SECONDS)
        self.until = now + seconds
        self.reason = Reason(PATH_FAILED_UNDER_DATA, why=why, seconds=seconds)

    def take_down(self) -> None:
        """Circumstances have changed: start again."""
        self.until = float("-inf")
        self.forgive()

    def forgive(self) -> None:
        """A direct path was good for long: the next bar is a short one again."""
        self._next = FIRST_SECONDS

    def holds(self, now: float) -> bool:
        """Whether no direct path is to be tried now."""
        return now < self.until
