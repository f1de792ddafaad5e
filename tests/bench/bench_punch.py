"""How long a hole punch takes, in round trips, through the two NATs of a rootless lab.

    python -m tests.bench.bench_punch [--runs 20] [--rtt-ms 50] [--jitter-ms 0]

Prints, for each part of the way, the median and the slowest of the runs in milliseconds and in round trips, beside the
fewest round trips that the messages allow. Round trips are the peers' own: a message through the relay costs one.
"""

from __future__ import annotations

import argparse
import statistics

from tests.nat.nodes import nodes

# Part of the way, the key of the reply, and the fewest round trips (docs/how-it-works.md).
PARTS = (
    ("dial through the relay", "relayed_dial", 4),
    ("relayed until direct", "punch", 5),
    ("relayed until first direct byte", "first_direct", 6),
    ("start of the dial until Ready", "dial_to_ready", 12),
)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rtt-ms", type=float, default=50.0)
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    arguments = parser.parse_args()
    with nodes(rtt_ms=arguments.rtt_ms, jitter_ms=arguments.jitter_ms) as world:
        replies = [world.session(f"bench-{number}") for number in range(arguments.runs)]
    first = sum(1 for reply in replies if reply["path"] == "direct" and reply["punch"]["attempts"] == 1)
    print(f"{first} of {len(replies)} direct at the first attempt; round trip {arguments.rtt_ms:g} ms")
    print(f"{'':32} {'median':>17} {'slowest':>17} {'fewest':>7}")
    for name, key, fewest in PARTS:
        figures = [reply["timings"][key] for reply in replies if reply["timings"][key] is not None]
        if figures:
            print(f"{name:32} {_shown(statistics.median(figures), arguments.rtt_ms)}", end="")
            print(f" {_shown(max(figures), arguments.rtt_ms)} {fewest:>4} RT")


def _shown(seconds: float, rtt_ms: float) -> str:
    return f"{seconds * 1000:6.0f} ms {seconds * 1000 / rtt_ms:5.1f} RT"


if __name__ == "__main__":
    main()
