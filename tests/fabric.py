"""Runs Fabric's tasks as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.playbooks import ROOT

FAB = Path(sys.executable).with_name("fab")
TIMEOUT = 200


@dataclass(frozen=True)
class Done:
    """A task that ran: its exit code, what it printed to standard output and to standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What `--json` printed: one line, one object."""
        assert self.out.count("\n") == 1, self.out + self.err
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def complaints(self) -> list[str]:
        """The lines of standard error, none of which may be a traceback's."""
        assert "Traceback" not in self.err, self.err
        return self.err.splitlines()


def environ(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a task is run with; none of them chooses an inventory but `more`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | dict(more or {})


def fab(*words: str, more: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Done:
    """Run `fab WORDS` in this checkout; more: further variables."""
    done = subprocess.run(
        [FAB, *words],
        cwd=cwd,
        env=environ(more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
