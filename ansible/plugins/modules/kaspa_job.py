#!/usr/bin/python
"""Runs a long program as a unit, which survives a lost connection, and reads its output."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import command

DOCUMENTATION = r"""
module: kaspa_job
short_description: Run a long program detached, and follow it
description:
  - The program runs as a transient unit of systemd, as an unprivileged user, and writes to a log file. It goes on when
    the connection is lost or the playbook is interrupted. A later run finds it and follows it; one that was given
    other words is refused as long as it runs.
  - Each new line is shown on the controller's terminal as it comes. The task ends when the program does.
  - In check mode nothing runs, and the task is skipped.
options:
  name: {type: str, required: true, description: The unit's name.}
  argv: {type: list, elements: str, description: The program and its arguments; with none the unit is stopped.}
  user: {type: str, default: root, description: Who runs it.}
  directory: {type: path, default: /, description: "Where it runs, and the only place that it can write to."}
  log: {type: path, description: The file that its output goes to.}
  environment: {type: dict, default: {}, description: Variables of its environment.}
  offset: {type: int, default: -1, description: "Where to read the log from; -1 starts the program."}
  wait: {type: float, default: 5, description: Seconds to wait for new lines.}
  timeout: {type: int, default: 14400, description: Seconds that it may take; then it is stopped.}
  failure: {type: str, description: What to say when it fails, before its last line.}
"""

RETURN = r"""
state: {type: str, returned: always, description: "running, done, failed, or gone (it is not known how it ended)"}
lines: {type: list, returned: always, description: New lines of its output.}
offset: {type: int, returned: always, description: Where to read on.}
why: {type: str, returned: always, description: "How it ended, where that was not well."}
"""

POLL = 0.5
"""Seconds between two reads of the log."""

BACKLOG = 4096
"""Bytes of the log to show if the program was running already."""

Properties = dict[str, str]

_MEANINGS = {
    "oom-kill": "the kernel ended it for want of memory; compile fewer crates at a time, add swap, or build elsewhere",
    "timeout": "it took too long and was stopped",
    "signal": "it was killed",
}


def judged(properties: Properties) -> tuple[str, str]:
    """State and reason, from the properties of the unit."""
    if properties.get("LoadState") != "loaded":
        return "gone", "it is not known how it ended; was the host rebooted?"
    if properties.get("ActiveState") == "failed":
        result = properties.get("Result", "")
        return "failed", _MEANINGS.get(result, f"exit code {properties.get('ExecMainStatus', 'unknown')}")
    return ("done", "") if properties.get("SubState") == "exited" else ("running", "")


def lines_from(log: Path, offset: int, ended: bool) -> tuple[list[str], int]:
    """The lines after an offset, and the next offset; the last line only if it is complete or nothing follows."""
    with log.open("rb") as file:
        file.seek(offset)
        content = file.read()
    if not ended:
        content = content[: content.rfind(b"\n") + 1]
    return content.decode(errors="replace").splitlines(), offset + len(content)


def backlog(log: Path) -> int:
    """The offset of a line near the end of the log."""
    with log.open("rb") as file:
        start = max(0, file.seek(0, 2) - BACKLOG)
        file.seek(start)
        return start + len(file.readline()) if start else 0


def words_to_start(wanted: dict[str, Any], description: str) -> list[str]:
    """The call of systemd-run."""
    properties = {
        "User": wanted["user"],
        "WorkingDirectory": wanted["directory"],
        "StandardOutput": f"append:{wanted['log']}",
        "StandardError": f"append:{wanted['log']}",
        "RuntimeMaxSec": str(wanted["timeout"]),
        "NoNewPrivileges": "yes",
        "PrivateTmp": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "read-only",
        "ReadWritePaths": wanted["directory"],
    }
    words = [
        "systemd-run",
        "--quiet",
        "--remain-after-exit",
        f"--unit={wanted['name']}",
        f"--description={description}",
    ]
    words += [f"--property={name}={value}" for name, value in properties.items()]
    words += [f"--setenv={name}={value}" for name, value in wanted["environment"].items()]
    return [*words, "--", *wanted["argv"]]


class Job:
    """A unit that runs one program."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self._wanted = wanted
        self._unit = f"{wanted['name']}.service"
        mark = hashlib.sha256(repr((wanted["argv"], wanted["user"], wanted["directory"])).encode()).hexdigest()[:16]
        self._description = f"{wanted['name']} {mark}"

    def properties(self) -> Properties:
        """The unit's properties."""
        names = "LoadState,ActiveState,SubState,Result,ExecMainStatus,Description"
        lines = command(["systemctl", "show", "--property", names, self._unit]).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def begin(self) -> int:
        """Start it, if it is not running; returns the offset to read from. Raises OSError."""
        log, found = Path(self._wanted["log"]), self.properties()
        if judged(found)[0] == "running":
            if found.get("Description") != self._description:
                raise OSError(f"another {self._unit} is running; wait for it, or: systemctl stop {self._unit}")
            return backlog(log)
        self.forget()
        log.write_bytes(b"")
        command(words_to_start(self._wanted, self._description))
        return 0

    def follow(self, offset: int) -> dict[str, Any]:
        """New lines, as soon as there are any, and the state of the unit."""
        deadline = time.monotonic() + self._wanted["wait"]
        while True:
            # Asked before the log is read, because after the end all lines are in the log.
            state, why = judged(self.properties())
            lines, offset = lines_from(Path(self._wanted["log"]), offset, state != "running")
            if lines or state != "running" or time.monotonic() >= deadline:
                break
            time.sleep(POLL)
        if state != "running":
            self.forget()
        return {"state": state, "why": why, "lines": lines, "offset": offset}

    def forget(self) -> bool:
        """Stop it and make systemd forget it; returns whether there was such a unit."""
        if self.properties().get("LoadState") != "loaded":
            return False
        command(["systemctl", "stop", self._unit])
        if self.properties().get("LoadState") == "loaded":
            command(["systemctl", "reset-failed", self._unit])
        return True


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "argv": {"type": "list", "elements": "str", "default": []},
            "user": {"type": "str", "default": "root"},
            "directory": {"type": "path", "default": "/"},
            "log": {"type": "path"},
            "environment": {"type": "dict", "default": {}},
            "offset": {"type": "int", "default": -1},
            "wait": {"type": "float", "default": 5.0},
            "timeout": {"type": "int", "default": 14400},
        },
    )
    wanted = module.params
    job = Job(wanted)
    try:
        if not wanted["argv"]:
            module.exit_json(changed=job.forget(), state="gone", why="", lines=[], offset=0)
        offset = wanted["offset"] if wanted["offset"] >= 0 else job.begin()
        module.exit_json(changed=True, **job.follow(offset))
    except OSError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
