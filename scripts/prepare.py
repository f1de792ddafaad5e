"""`make setup`: everything that the controller needs; does nothing if all of it exists.

Debian packages (as root), the virtual environment from the hash-locked list, the project in it, and, if booted hosts
can run, the lab's base file system at the same time. Exit code 2: something is missing, and what.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

import debian
import environment
import interpreters
import wheelhouse
from commands import ROOT, Problem, run
from progress import Progress, together

_BASE = "from lab.base import ensure; from lab.paths import Paths; ensure(Paths().bases)"


def _can_boot(progress: Progress) -> bool:
    """Whether booted hosts can run on this machine; an existing base shows it too, and faster."""
    if os.geteuid() != 0:
        return False
    if any((ROOT / ".cache" / "lab-base").glob("*/etc")):
        return True
    try:
        run([sys.executable, "-m", "lab", "precheck", "--json"])
    except Problem as problem:
        try:
            reason = json.loads(problem.output.splitlines()[-1])["reason"]
        except (ValueError, LookupError):
            reason = problem.output.strip() or str(problem)
        progress.say(f"booted hosts can't run here, inventory/local can: {reason}")
        return False
    return True


def _ensure_base(progress: Progress) -> None:
    with progress.task("the lab's base file system") as task:

        def on_line(line: str) -> None:
            task.detail = line[:100]

        task.detail = "looking"
        run([sys.executable, "-u", "-c", _BASE], on_line=on_line, what="the lab's base could not be built")
        task.detail = "ready"


def _ensure_wheelhouse(progress: Progress) -> None:
    """For the lab's hosts, which have this machine's distribution; otherwise deploy would build it later."""
    python = Path("/usr/bin/python3")
    tag = interpreters.tag_of(python) if python.exists() else None
    if tag is not None:
        target = wheelhouse.Target(tag, platform.machine())
        wheelhouse.build(target, wheelhouse.default_place(target), progress)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Prepare this checkout: packages, virtual environment, base.")
    parser.add_argument("--without-base", action="store_true", help="leave out the lab's base file system")
    parser.add_argument("--with-wheelhouse", action="store_true", help="also what deploy pushes to the lab's hosts")
    arguments = parser.parse_args(argv)
    progress = Progress()

    try:
        with progress.heartbeat():
            debian.ensure(progress)
            booted = not arguments.without_base and _can_boot(progress)

            def python_things() -> None:
                environment.ensure(progress)
                if booted and arguments.with_wheelhouse:
                    _ensure_wheelhouse(progress)

            jobs = [python_things]
            if booted:
                jobs.append(lambda: _ensure_base(progress))
            together(*jobs)
    except Problem as problem:
        print(f"{problem.output}setup: {problem}", file=sys.stderr)
        return 2
    progress.say("set up; `. .venv/bin/activate` puts ansible-playbook and kaspa-node into the PATH")
    return 0


if __name__ == "__main__":
    sys.exit(main())
