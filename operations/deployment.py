"""Runs a playbook for a task and shows its plays when they begin."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from operations.inventory import CHECKOUT
from operations.problems import OperationProblem
from operations.report import Report

SECONDS = 1200.0
_PLAY = re.compile(r"PLAY \[(?P<name>[^\]]+)\]")
_RECAP = re.compile(r"(?P<host>\S+)\s+: ok=\d+\s+changed=(?P<changed>\d+)\s")
_STILL = "... "
_ERROR = "[ERROR]: "
_LEFT_OUT = "left out: "
"""Begins the last message of a playbook that did its work on the other hosts (roles/kaspa_fleet)."""
_PATIENCE = 10.0


class Progress:
    """Reads the output of ansible-playbook, line by line.

    errors: its message for each failure. left_out: it has left out hosts and done its work on the others.
    changed: the number of tasks that changed something, by host, after its end.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.changed: dict[str, int] = {}
        self.left_out = False
        self._play = ""

    def read(self, line: str) -> str | None:
        """The text to show for the line; None for nothing."""
        if match := _PLAY.match(line):
            # A play with `serial` begins again for each host.
            before, self._play = self._play, match["name"]
            return self._play if self._play != before else None
        if match := _RECAP.match(line):
            self.changed[match["host"]] = int(match["changed"])
        elif line.startswith(_ERROR):
            error = line.removeprefix(_ERROR).removeprefix("Task failed: ").removeprefix("Action failed: ")
            self.errors.append(error)
            self.left_out |= error.startswith(_LEFT_OUT)
        elif line.startswith(_STILL):
            return line.strip()
        return None


def play(
    report: Report,
    playbook: str,
    sources: Sequence[str],
    *,
    run: str,
    may_leave_out: bool = False,
    seconds: float = SECONDS,
) -> Progress:
    """Run a playbook of this checkout. Raises OperationProblem with the first failure.

    sources: of the inventory, as they were typed; none for ansible.cfg's.
    run: the id of the task that holds the locks of the hosts.
    may_leave_out: hosts that the playbook leaves out are no failure.
    """
    words = [str(Path(sys.executable).with_name("ansible-playbook"))]
    words += [word for source in sources for word in ("--inventory", source)]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*words, "--extra-vars", json.dumps({"kaspa_fleet_lock_run": run}), str(CHECKOUT / playbook)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**environment, "ANSIBLE_CONFIG": os.environ.get("ANSIBLE_CONFIG", str(CHECKOUT / "ansible.cfg"))},
        start_new_session=True,
    )
    progress, late = Progress(), threading.Event()

    def give_up() -> None:
        late.set()
        _end(process)

    watchdog = threading.Timer(seconds, give_up)
    watchdog.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if shown := progress.read(line.rstrip("\n")):
                report.say(f"  {playbook}: {shown}")
        code = process.wait()
    except KeyboardInterrupt:
        _end(process)
        raise
    finally:
        watchdog.cancel()
    if late.is_set():
        raise OperationProblem(f"{playbook} was not done after {seconds:g} s and was ended")
    if code and not (may_leave_out and progress.left_out):
        reason = progress.errors[0] if progress.errors else f"it ended with {code}"
        raise OperationProblem(
            f"{playbook} failed: {reason}; all of it: {' '.join(['ansible-playbook', *words[1:], playbook])}"
        )
    return progress


def _end(process: subprocess.Popen[str]) -> None:
    """Interrupt Ansible and its children as Ctrl-C does; kill them if they don't end."""
    for number, patience in ((signal.SIGINT, _PATIENCE), (signal.SIGKILL, _PATIENCE)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        else:
            return
