"""`make demo`: from a clone to a proven Kaspa handshake between two private peers, on this machine.

Sets up what is missing, boots the lab, runs deploy.yml and verify.yml as a user would, and ends with the verdict. If
booted hosts can't run, it uses inventory/local and says why. Exit code 0: PASS, and the path was direct; 1: another
result; 2: it could not run. The lab stays up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import prepare
from commands import ROOT, Problem
from kaspa_node.evidence import output, table

_BIN = ROOT / ".venv" / "bin"
_LATEST = ROOT / "evidence" / "latest"
_STEPS = 5
BOOTED, PROCESSES = "inventory/lab", "inventory/local"


class Demo:
    """The steps, numbered and timed."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._step = 0

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def step(self, title: str) -> None:
        self._step += 1
        print(f"\n=== {self._step}/{_STEPS} {title} ({self.seconds:.0f} s) ===", flush=True)

    def run(self) -> int:
        self.step("set up: packages, virtual environment, wheels, the hosts' base")
        status = prepare.main(["--with-wheelhouse"])
        if status:
            return status
        self.step("can booted hosts run here?")
        reason = why_not_booted()
        inventory = BOOTED if reason is None else PROCESSES
        print("yes" if reason is None else f"no: {reason}; taking {inventory} instead")
        self.step("the lab")
        if reason is None:
            call([_BIN / "python", "-m", "lab", "up"], "the lab did not come up")
        else:
            print("deploy.yml brings up the local one")
        self.step(f"ansible-playbook -i {inventory} deploy.yml")
        call([_BIN / "ansible-playbook", "-i", inventory, "deploy.yml"], "deploy.yml failed")
        self.step(f"ansible-playbook -i {inventory} verify.yml")
        before = newest_run()
        verified = subprocess.call([_BIN / "ansible-playbook", "-i", inventory, "verify.yml"], cwd=ROOT, env=clean())
        run = newest_run()
        if run is None or run == before:
            raise Problem(f"verify.yml left no report (exit code {verified})", "see the lines above")
        self.conclude(run, inventory)
        return 0 if verified == 0 and proven_direct(run) else 1

    def conclude(self, run: Path, inventory: str) -> None:
        """Print the verdict of a run, and what to do next."""
        where = (run / "report.md").relative_to(ROOT)
        print(f"\n=== verdict ({self.seconds:.0f} s) ===\n{table.render(report_of(run), str(where))}")
        again = "make verify" if inventory == BOOTED else f"make verify INVENTORY={inventory}"
        shell = "; make lab-shell HOST=client" if inventory == BOOTED else ""
        print(f"The hosts stay up: {again}{shell}; make lab-down ends them.")


def report_of(run: Path) -> dict[str, Any]:
    """The report of a run. Raises Problem if it can't be read."""
    try:
        report: dict[str, Any] = json.loads(output.report_of(run).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(f"{run.name}/report.json can't be read: {error}", "run verify.yml again") from error
    return report


def proven_direct(run: Path) -> bool:
    """The one outcome that counts as success here."""
    report = report_of(run)
    return bool(report["verdict"] == "PASS" and report["path"] == "direct")


def why_not_booted() -> str | None:
    """Why booted hosts can't run on this machine, from the lab; None if they can."""
    check = subprocess.run(
        [_BIN / "python", "-m", "lab", "precheck", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    try:
        found = json.loads(check.stdout)
    except json.JSONDecodeError as error:
        raise Problem(f"the lab's precheck failed: {check.stderr.strip()}") from error
    return None if found["booted"] else str(found["reason"])


def newest_run() -> Path | None:
    """The directory that evidence/latest points to."""
    return _LATEST.resolve() if (_LATEST / "report.json").is_file() else None


def clean() -> dict[str, str]:
    """The environment with the checkout's programs first, as `. .venv/bin/activate` makes it."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PATH": f"{_BIN}:{kept.get('PATH', '')}", "VIRTUAL_ENV": str(_BIN.parent)}


def call(command: Sequence[str | Path], failure: str) -> None:
    """Run a program whose output the user sees. Raises Problem if it fails."""
    status = subprocess.call(command, cwd=ROOT, env=clean())
    if status:
        raise Problem(f"{failure} (exit code {status})", "see the lines above")


def main() -> int:
    try:
        return Demo().run()
    except Problem as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: interrupted; `make lab-down` ends what is up", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
