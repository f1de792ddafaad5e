"""Which relay to dial through: those that are up, by how they have done lately, then by round trip. No clock inside."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

# How long a relay that has failed comes last; it doubles with each failure.
FIRST_BAD, LONGEST_BAD = 30.0, 600.0
# Round trips within one step count as equal, so that noise does not change the relay.
STEP_SECONDS = 0.02


@dataclass(slots=True)
class _Relay:
    label: str
    up: bool = False
    reason: str = "not connected yet"
    round_trip: float | None = None
    bad_until: float = float("-inf")
    bad_seconds: float = FIRST_BAD


class RelayChoice:
    """The relays of one remote, by peer id."""

    def __init__(self) -> None:
        self._relays: dict[str, _Relay] = {}

    def configure(self, relays: Sequence[tuple[str, str]]) -> None:
        """Use these relays from now on: peer ids and addresses for messages, the preferred first."""
        before = self._relays
        self._relays = {peer: before.get(peer) or _Relay(label) for peer, label in relays}
        for peer, label in relays:
            self._relays[peer].label = label

    def __contains__(self, relay: object) -> bool:
        return relay in self._relays

    def __len__(self) -> int:
        return len(self._relays)

    def up(self, relay: str, round_trip: float | None) -> None:
        """The relay is connected."""
        if (known := self._relays.get(relay)) is not None:
            known.up, known.round_trip = True, round_trip

    def down(self, relay: str, reason: str) -> None:
        """The relay is not connected."""
        if (known := self._relays.get(relay)) is not None:
            known.up, known.reason = False, reason

    def failed(self, relay: str, now: float) -> None:
        """What was tried over the relay has failed, and it may be the relay's fault: others come first for a while."""
        if (known := self._relays.get(relay)) is not None:
            known.bad_until = now + known.bad_seconds
            known.bad_seconds = min(known.bad_seconds * 2, LONGEST_BAD)

    def worked(self, relay: str) -> None:
        """A session over the relay was ready."""
        if (known := self._relays.get(relay)) is not None:
            known.bad_until, known.bad_seconds = float("-inf"), FIRST_BAD

    def best(self, without: Collection[str], now: float) -> str | None:
        """The best relay that is up and not in `without`, or None."""
        usable = [(peer, relay) for peer, relay in self._relays.items() if relay.up and peer not in without]

        def rank(entry: tuple[str, _Relay]) -> tuple[float, float]:
            relay = entry[1]
            return max(relay.bad_until - now, 0.0), (relay.round_trip or 0.0) // STEP_SECONDS

        return min(usable, key=rank)[0] if usable else None

    def label(self, relay: str) -> str:
        """The relay's address for messages."""
        known = self._relays.get(relay)
        return relay if known is None else known.label

    def not_up(self, without: Collection[str] = ()) -> list[str]:
        """For each relay that is not connected and not in `without`, a clause that says why."""
        down = [relay for peer, relay in self._relays.items() if not relay.up and peer not in without]
        return [f"through {relay.label}: {relay.reason}" for relay in down]
