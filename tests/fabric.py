"""Runs Fabric's tasks as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fabric.main import program

from kaspa_node import identity
from operations.keys import vault
from tests.playbooks import ROOT

FAB = Path(sys.executable).with_name("fab")
TIMEOUT = 200

# Every task that asks hosts, and the least that is typed with it for one of them. {tmp}: a directory of the test.
ON_HOST = {
    "backup-keys": "--to {tmp}/new.json --host {host} --dry-run",
    "capture": "{host} server",
    "dial": "{host} server",
    "doctor": "{host} server",
    "logs": "--host {host}",
    "restart": "--host {host}",
    "restore-keys": "--from {tmp}/keys.json --passphrase-file {tmp}/passphrase --host {host}",
    "rotate-key": "{host}",
    "start": "--host {host}",
    "status": "--host {host}",
    "stop": "--host {host}",
}
ON_CONTROLLER = {"evidence"}


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


Fab = Callable[..., Done]
"""Runs `fab WORDS`."""


def environ(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a task is run with; none of them chooses an inventory but `more`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | dict(more or {})


def fab(*words: str, more: Mapping[str, str] | None = None, cwd: Path = ROOT, timeout: float = TIMEOUT) -> Done:
    """Run `fab WORDS` in this checkout; more: further variables; timeout: seconds."""
    done = subprocess.run(
        [FAB, *words],
        cwd=cwd,
        env=environ(more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def words(task: str, host: str, tmp: Path) -> list[str]:
    """`TASK …` for a host; what it reads on the controller is in that directory."""
    if task == "restore-keys":
        content = identity.encode(bytes(range(32)))
        peer_id = identity.from_content(content, tmp).peer_id
        backup = vault.Backup("", {host: vault.Entry(peer_id, "peer", content)})
        sealed = vault.seal(backup, "words", cost={"n": 2, "r": 1, "p": 1})
        (tmp / "keys.json").write_bytes(sealed)
        (tmp / "passphrase").write_text("words")
    return [task, *ON_HOST[task].format(host=host, tmp=tmp).split()]


def here(capsys: pytest.CaptureFixture[str], *words: str) -> Done:
    """Run `fab WORDS` in this process, ten times as fast. The current directory has to be the checkout."""
    capsys.readouterr()
    with warnings.catch_warnings():
        # Ansible's: its plugins were made known by an earlier task of this process.
        warnings.filterwarnings("ignore", message="AnsibleCollectionFinder has already been configured")
        with pytest.raises(SystemExit) as ended:
            program.run(["fab", *words])
    shown = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, shown.out, shown.err)


def begin(*words: str) -> subprocess.Popen[str]:
    """Start `fab WORDS`, to be ended by the test."""
    return subprocess.Popen(
        [FAB, *words],
        cwd=ROOT,
        env=environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
