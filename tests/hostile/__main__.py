"""Measure attacks, and print the table of docs/security.md.

    python -m tests.hostile [--seconds S] [--rounds N] [--scene NAME] [ATTACK …]

A scene is `peer/stranger`, `peer/served`, `relay/stranger` or `relay/served`. The medians of the rounds are printed.
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

from kaspa_node.milestones import PEER, RELAY
from tests.hostile import attacks
from tests.hostile.scene import ALLOWED, STRANGER, Outcome, scene

PARTIES = {"stranger": STRANGER, "served": ALLOWED}
SCENES = [f"{role}/{who}" for role in (PEER, RELAY) for who in PARTIES]
EIGHT_ADDRESSES = [f"127.2.0.{number}" for number in range(1, 9)]
HOLDING: dict[str, Any] = {"ips": EIGHT_ADDRESSES, "connections": 128, "parties": 128, "rate": 64 << 20}
"""How the attacks on memory go: as fast as they can, by eight addresses."""

HEAD = """\
| attack | by a | of a core | ping p95, ms | memory before / at most / 10 s later, MiB | log lines |
|---|---|---|---|---|---|"""


def measure(place: str, name: str, seconds: float) -> tuple[Outcome, float]:
    """One round, with a victim of its own; and the cores that plain bytes cost it."""
    role, _, who = place.partition("/")
    more = HOLDING if name in attacks.HOLDING else {}
    if who == "served":
        more = {key: value for key, value in more.items() if key != "parties"}
    with scene(role) as found:
        plain = found.attack("plain_bytes", seconds=min(seconds, 3.0), party=PARTIES[who], ips=["127.3.0.1"])
        return found.attack(name, seconds=seconds, party=PARTIES[who], **more), plain.cores


def row(place: str, name: str, rounds: list[tuple[Outcome, float]]) -> str:
    """One line of the table."""
    outcomes = [outcome for outcome, _ in rounds]
    cores = median(outcome.cores - plain for outcome, plain in rounds)
    p95 = median(outcome.ping["p95"] for outcome in outcomes)
    memory = " / ".join(f"{median(getattr(o, when) for o in outcomes):.0f}" for when in ("idle", "peak", "after"))
    lines = median(outcome.lines for outcome in outcomes)
    return f"| {name} | {place} | {max(0.0, 100 * cores):.0f} % | {p95:.1f} | {memory} | {lines:.0f} |"


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    parser.add_argument("attacks", nargs="*", default=[*attacks.FRAMES, *attacks.CONNECTIONS])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--scene", choices=SCENES, action="append")
    arguments = parser.parse_args()
    print(HEAD)
    for place in arguments.scene or SCENES:
        for name in arguments.attacks:
            found = [measure(place, name, arguments.seconds) for _ in range(arguments.rounds)]
            print(row(place, name, found), flush=True)


if __name__ == "__main__":
    main()
