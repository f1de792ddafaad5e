"""Builds `kaspa_p2p_server` and `kaspa_p2p_client` of the first proof of concept, for `make test-oracle`.

They come unmodified from the crates registry that `cargo` on this machine is configured for, and are stored in
.cache/oracle/<crate>-<version>/ with `provenance.json`. The role rust_build finds them there too (cargo_build.py does
the work for both). A build takes about six to ten minutes on two cores; there is nothing to do if they exist. Exit code
1: they can't be built, and why.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cargo_build
from cargo_build import Crate, Terms
from commands import ROOT, Problem
from progress import Progress

PLACE = ROOT / ".cache" / "oracle"
PROGRAMS = ("kaspa_p2p_client", "kaspa_p2p_server")
CRATE = Crate("kaspa-p2p-lib", "0.15.0", PROGRAMS)
TERMS = Terms(install=True)


def place(base: Path = PLACE) -> Path:
    """Where the programs are kept."""
    return base / str(CRATE)


def program(name: str) -> Path:
    """One of the programs."""
    return place() / "bin" / name


def flaw(base: Path = PLACE) -> str | None:
    """Why the programs are missing or changed; None if they are as they were built."""
    return cargo_build.flaw(place(base), CRATE)


def obstacle(base: Path = PLACE) -> str | None:
    """Why they can't be built here; None if they can, or if what is missing can be installed."""
    return " | ".join(TERMS.look(place(base))["problems"]) or None


def main(argv: list[str] | None = None, base: Path = PLACE) -> int:
    parser = argparse.ArgumentParser(
        description="Build the programs of the first proof of concept, to test against them."
    )
    parser.add_argument("--if-possible", action="store_true", help="exit with 0 even if they can't be built here")
    arguments = parser.parse_args(argv)
    progress = Progress()
    if arguments.if_possible and flaw(base) is not None:
        reason = obstacle(base)
        if reason is not None:
            print(f"oracle {CRATE}: left out, {reason}")
            return 0
    try:
        with progress.heartbeat():
            built = cargo_build.build(CRATE, place(base), progress, TERMS)
    except Problem as problem:
        print(f"{problem.output}oracle: {problem}", file=sys.stderr)
        return 1
    print(f"oracle {CRATE}: {'built' if built else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
