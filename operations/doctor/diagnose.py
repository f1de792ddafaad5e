"""From facts to a diagnosis; asks no host."""

from __future__ import annotations

from dataclasses import dataclass

from operations.doctor import agreement, identities, kaspa, machines, nats, relay_paths, reservations
from operations.doctor.facts import Facts
from operations.doctor.findings import CAUSE, CONSEQUENCE, Told, in_order
from operations.doctor.pair import DIRECT, Pair


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The diagnosis of a pair.

    path: direct, relayed or nothing. unconfirmed: the peer that does not confirm it, or None.
    told: the findings, root causes first. unreachable: hosts of the pair that could not be asked.
    """

    dialer: str
    dialed: str
    path: str
    unconfirmed: str | None
    told: tuple[Told, ...]
    unreachable: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Direct, and nothing found."""
        return self.path == DIRECT and not self.told

    @property
    def why(self) -> str | None:
        """The first cause; None if nothing was found."""
        found = [told.finding.text for told in self.told if told.part == CAUSE] or [t.finding.text for t in self.told]
        return found[0] if found else None

    @property
    def remedy(self) -> str | None:
        """The next thing to try."""
        found = [told for told in self.told if told.part == CAUSE] or list(self.told)
        return found[0].finding.remedy if found else None


def diagnose(facts: Facts, dialer: str, dialed: str) -> Diagnosis:
    """The diagnosis of two peers of the inventory, by their names."""
    pair = Pair(facts, facts.hosts[dialer], facts.hosts[dialed])
    hosts = (*pair.relays, *pair.peers)
    found = [
        *machines.examine(facts, hosts),
        *relay_paths.examine(pair),
        *identities.examine(pair),
        *agreement.examine(pair),
        *reservations.examine(pair),
        *nats.examine(pair),
        *kaspa.examine(pair),
    ]
    told = _without_empty_end(in_order(found))
    lost = tuple(host.name for host in hosts if host.unreachable is not None)
    return Diagnosis(dialer, dialed, pair.path, pair.unconfirmed, told, lost)


def _without_empty_end(told: tuple[Told, ...]) -> tuple[Told, ...]:
    """The headline says already that there is no session, so a consequence does not repeat it."""
    return tuple(each for each in told if (each.finding.kind, each.part) != ("no-session", CONSEQUENCE))
