"""Runs playbooks as a user does, and reads what they say of each host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 500

_RECAP = re.compile(r"^(?P<host>\S+)\s+: (?P<counts>(?:\w+=\d+\s*)+)$", re.MULTILINE)


@dataclass(frozen=True)
class Played:
    """A playbook that ran: its exit code, its output, the counts of its recap by host, and the seconds it took."""

    exit_code: int
    output: str
    recap: dict[str, dict[str, int]]
    seconds: float

    @property
    def changed(self) -> dict[str, int]:
        """How many tasks changed each host; the controller is none."""
        return {host: counts["changed"] for host, counts in self.recap.items() if host != "localhost"}


def play(
    playbook: str, inventory: str | Path, *words: str, environ: Mapping[str, str] | None = None, checkout: Path = ROOT
) -> Played:
    """Run a playbook of a checkout with further words for ansible-playbook, and further variables around it.

    inventory: the name of one of the checkout's, or the whole path of another.
    """
    began = time.monotonic()
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", Path("inventory", inventory), playbook, *words],
        cwd=checkout,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    output = done.stdout + done.stderr
    recap = {
        match["host"]: {
            name: int(count) for name, _, count in (pair.partition("=") for pair in match["counts"].split())
        }
        for match in _RECAP.finditer(output)
    }
    return Played(done.returncode, output, recap, time.monotonic() - began)


def well(played: Played) -> Played:
    """The same playbook, which has to have ended well on every host."""
    failed = {name: counts for name, counts in played.recap.items() if counts["failed"] or counts["unreachable"]}
    assert (played.exit_code, failed) == (0, {}), played.output[-4000:]
    return played


def report(name: str = "report.json") -> dict[str, Any]:
    """The report of the newest run of verify.yml: the one to share, or the owner's, raw/report.json."""
    found: dict[str, Any] = json.loads((ROOT / "evidence" / "latest" / name).read_text(encoding="utf-8"))
    return found
