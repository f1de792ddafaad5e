"""Files of one run put among those of the next: exhaustively, and only a whole run passes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest

from tests.evidence.corpus import DIRECT, EARLIER, LATER, RELAY_ONLY, recorded
from tests.evidence.judging import PASSING, Workbench
from tests.unit.evidence.builder import HOSTS, Evidence

# The relay's journal is shown in the report and proves nothing.
PARTS = [
    "run",
    *(f"{host}/journal" for host in ("server", "client")),
    *(f"{host}/{label}" for host in HOSTS for label in ("before", "after")),
]


def mixtures(base: Evidence, other: Evidence) -> Iterator[tuple[list[str], Evidence]]:
    """Every evidence with some parts of `other`, but neither none nor all; and which parts these are."""
    for count in range(1, len(PARTS)):
        for taken in combinations(PARTS, count):
            run = other.run if "run" in taken else base.run
            journals = {h: (other if f"{h}/journal" in taken else base).journals[h] for h in HOSTS}
            snapshots = {
                key: (other if f"{key[0]}/{key[1]}" in taken else base).snapshots[key] for key in base.snapshots
            }
            yield list(taken), Evidence(run, journals, snapshots)


@pytest.mark.parametrize(("first", "second"), [(DIRECT, RELAY_ONLY), (EARLIER, LATER), (DIRECT, LATER)])
def test_no_mixture_of_two_runs_passes(first: str, second: str, workbench: Workbench) -> None:
    found = [
        taken for taken, mixed in mixtures(recorded(first), recorded(second)) if workbench.verdict(mixed) in PASSING
    ]
    assert found == []
