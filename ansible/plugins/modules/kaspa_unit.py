#!/usr/bin/python
"""Brings a unit of systemd to what its file says, whatever an earlier run has left undone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import command

DOCUMENTATION = r"""
module: kaspa_unit
short_description: Run a unit as its file says
description:
  - Makes systemd read the unit again if systemd says that it needs to, or if the file is older than what systemd has
    read, as after a rollback. systemd notices newer files only.
  - The unit has a line C(Environment=KASPA_UNIT=DIGEST). A process that was started with another digest runs with an
    older version of the unit, and is restarted. So a run that ended between writing and restarting is completed by the
    next one.
  - A unit that does not start is no failure of this module; what runs is asked afterwards.
options:
  name: {type: str, required: true, description: The unit's name without its suffix.}
  state:
    type: str
    choices: [started, loaded]
    default: started
    description: C(loaded) only makes systemd read it.
  enabled: {type: bool, default: false, description: Whether it is to start at every boot. False leaves that alone.}
"""

EXAMPLES = r"""
- name: Start the node, or restart it if its unit has changed
  kaspa_unit:
    name: kaspa-peer
    enabled: true
"""

RETURN = r"""
did: {type: list, elements: str, returned: always, description: "Of reload, enable, start and restart what was needed."}
problem: {type: str, returned: always, description: "Why it did not start; empty if it did."}
"""

MARK = "KASPA_UNIT"
PROPERTIES = "LoadState,ActiveState,MainPID,NeedDaemonReload,UnitFileState,FragmentPath,Environment"
# Of ActiveState. STARTING is also the state between two attempts of systemd to start it.
RUNNING, STARTING = ("active", "reloading"), "activating"


@dataclass(frozen=True)
class Unit:
    """A unit as systemd knows it.

    file: the path that systemd has read it from, "" if none; state: its ActiveState; pid: 0 if no process runs;
    mark: the digest in the unit that systemd has read.
    """

    loaded: bool
    stale: bool
    enabled: bool
    file: str
    state: str
    pid: int
    mark: str

    @classmethod
    def parse(cls, shown: str) -> Unit:
        """From the output of `systemctl show`."""
        found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        return cls(
            loaded=found.get("LoadState") == "loaded",
            stale=found.get("NeedDaemonReload") == "yes",
            enabled=found.get("UnitFileState") == "enabled",
            file=found.get("FragmentPath", ""),
            state=found.get("ActiveState", ""),
            pid=int(found.get("MainPID") or 0),
            mark=mark(found.get("Environment", "")),
        )


def mark(environment: str) -> str:
    """The digest among variables that are separated by spaces, or in a unit's lines; "" if there is none."""
    found = re.search(rf"(?:^|\s|^Environment=){MARK}=(\S*)", environment, re.MULTILINE)
    return found[1] if found else ""


def mark_of_process(pid: int) -> str | None:
    """The digest that a process was started with, "" if it has none; None if it has ended. Raises PermissionError."""
    try:
        content = Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return mark(content.decode(errors="replace").replace("\0", " "))


def must_be_read(unit: Unit) -> bool:
    """Whether the unit's file is another than the one that systemd has read; raises OSError."""
    return unit.stale or not unit.loaded or mark(Path(unit.file).read_text(encoding="utf-8")) != unit.mark


def needed(unit: Unit, started_with: str | None, wanted: Mapping[str, object], *, new: bool) -> list[str]:
    """What has to be done with a unit that systemd has read: of enable, start and restart.

    started_with: the digest of its process, None if there is none; new: whether systemd has read another version of the
    unit just now.
    """
    steps = ["enable"] if wanted["enabled"] and not unit.enabled else []
    if wanted["state"] == "started":
        if unit.state == STARTING:
            # Its process has no environment of its own yet; or there is none, and the next one has the unit as it is.
            steps += ["restart"] if new else []
        elif unit.state not in RUNNING:
            steps.append("start")
        elif started_with is not None and started_with != unit.mark:
            steps.append("restart")
    return steps


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "loaded"], "default": "started"},
            "enabled": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    name = f"{wanted['name']}.service"
    did, problem = [], ""

    def look() -> Unit:
        return Unit.parse(command(["systemctl", "show", "--property", PROPERTIES, name]))

    try:
        unit = look()
        if must_be_read(unit):
            did.append("reload")
            if not module.check_mode:
                command(["systemctl", "daemon-reload"])
                unit = look()
        steps = needed(unit, mark_of_process(unit.pid) if unit.pid else None, wanted, new=bool(did))
    except OSError as error:
        module.fail_json(msg=f"{name}: {error}")
    for step in steps:
        did.append(step)
        if not module.check_mode:
            try:
                command(["systemctl", step, name])
            except OSError as error:
                problem = str(error)
    module.exit_json(changed=bool(did), did=did, problem=problem)


if __name__ == "__main__":
    main()
