"""Measure every attack, and print the table.

python -m tests.hostile [--seconds S] [--rate BYTES] [ATTACK …]
"""

from __future__ import annotations

import argparse

from kaspa_node.milestones import PEER, RELAY
from tests.hostile import attacks
from tests.hostile.scene import ALLOWED, Outcome, scene


def show(outcome: Outcome, plain: float, who: str) -> None:
    """One line of the table."""
    ping = outcome.ping
    print(
        f"| {outcome.attack} | {who} | {100 * outcome.cores:.0f} % | {100 * (outcome.cores - plain):.0f} % "
        f"| {ping['p50']:.1f} / {ping['p95']:.1f} / {ping['most']:.0f} "
        f"| {outcome.idle:.0f} / {outcome.peak:.0f} / {outcome.after:.0f} "
        f"| {outcome.lines} | {outcome.report} |",
        flush=True,
    )


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("attacks", nargs="*", default=[*attacks.FRAMES, *attacks.CONNECTIONS])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=int, default=1 << 20)
    parser.add_argument("--relay", action="store_true")
    parser.add_argument("--allowed", action="store_true")
    arguments = parser.parse_args()
    role = RELAY if arguments.relay else PEER
    party = {"party": ALLOWED} if arguments.allowed else {}
    with scene(role) as found:
        plain = found.attack("plain_bytes", seconds=arguments.seconds, rate=arguments.rate).cores
    for name in arguments.attacks:
        with scene(role) as found:
            more = {}
            if name in ("filled_windows", "small_pieces"):
                more = {"ips": [f"127.0.0.{n}" for n in range(10, 18)], "connections": 128, "rate": 64 << 20}
            outcome = found.attack(name, seconds=arguments.seconds, **({"rate": arguments.rate} | more), **party)
            show(outcome, plain, f"{role}, {'allowed' if party else 'stranger'}")


if __name__ == "__main__":
    main()
