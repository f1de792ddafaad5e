"""Writes into runbook pages what their commands print: python -m tests.runbooks docs/runbooks/PAGE.md [--fill]

Each page is followed in the lab. Where a command prints what the page shows, what differs from run to run is brought up
to date. With --fill a command that is followed by nothing, or that prints something else, gets its output, without the
tasks of a playbook: then shorten it further by hand, with `...` for what nobody needs to read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.runbooks.compare import aligned, shortened
from tests.runbooks.follow import Shell, Strayed, follow, shell
from tests.runbooks.page import Step, steps


def refresh(page: Path, at: Shell, *, fill: bool) -> None:
    """Follow the page and write it anew. Raises Strayed."""
    lines = page.read_text(encoding="utf-8").splitlines()
    written: list[str] = []
    done = 0
    for step in steps("\n".join(lines)):
        print(f"{page.name}:{step.first}: {step.command}", flush=True)
        written += lines[done : step.first]
        written += _filled(step, at) if fill and not step.scene else follow(step, at)
        done = step.end
    written += lines[done:]
    page.write_text("\n".join(written) + "\n", encoding="utf-8")


def _filled(step: Step, at: Shell) -> list[str]:
    printed = at.run(step.command)
    if printed.code != step.code:
        print(f"  exit code {printed.code}, the page says {step.code}", flush=True)
    lines = aligned(step.shown, printed.lines) if step.shown else None
    return shortened(printed.lines) if lines is None else lines


def main() -> int:
    """Exit code 1 where a page could not be followed."""
    parser = argparse.ArgumentParser(description="Write into runbook pages what their commands print.")
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument(
        "--fill", action="store_true", help="take over the output of commands that print something else"
    )
    arguments = parser.parse_args()
    for page in arguments.pages:
        with shell() as at:
            try:
                refresh(page, at, fill=arguments.fill)
            except Strayed as strayed:
                print(f"{page}: {strayed}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
