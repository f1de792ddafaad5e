"""Floods of every kind by one address at 1 MiB/s: the victim, the honest peer and the memory stay as they are.

`make test-hostile` has every attack and takes its time; `make test` has a few, and short ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from kaspa_node.milestones import PEER, RELAY
from tests.hostile import attacks
from tests.hostile.scene import ALLOWED, STRANGER, Outcome, Scene, scene

LENGTH = os.environ.get("KASPA_HOSTILE_SECONDS")
SECONDS = float(LENGTH or 3)
pytestmark = pytest.mark.timeout(90 + 8 * SECONDS)

ATTEMPTS = 3
"""The machine has other work to do, which can make one measurement a bad one; an attack that works, works each time."""

ALL = [name for name in (*attacks.FRAMES, *attacks.CONNECTIONS) if name not in attacks.HOLDING]
SHORT = ["rapid_reset", "opened_and_reset_late", "pings", "trickle", attacks.HANDSHAKES]
FLOODS = ALL if LENGTH else SHORT
PARTIES = {"stranger": STRANGER, "served": ALLOWED}
SCENES = [(PEER, "stranger"), (PEER, "served"), (RELAY, "stranger"), (RELAY, "served")][: None if LENGTH else 1]


@dataclass(frozen=True)
class Stage:
    """A victim, whom it is attacked by, and what plain bytes cost it."""

    scene: Scene
    party: int
    plain: Outcome


@pytest.fixture(scope="module", params=SCENES, ids=" by a ".join)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    role, who = request.param
    with scene(role) as found:
        yield Stage(found, PARTIES[who], found.attack("plain_bytes", seconds=SECONDS))


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_costs_little_and_harms_nobody_else(stage: Stage, name: str) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        # From another address each time: what is tested is a first attack, not the memory of the last one.
        address = f"127.1.{attempt}.{1 + ALL.index(name)}"
        outcome = stage.scene.attack(name, seconds=SECONDS, party=stage.party, ips=[address])
        faults = outcome.faults(stage.plain)
        if not faults:
            break
    assert not faults, outcome
    assert outcome.lines < 40 + 20 * SECONDS, stage.scene.victim.lines[-20:]
