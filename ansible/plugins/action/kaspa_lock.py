"""Locks a host for this run of ansible-playbook, and says who has locked it if somebody has."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

Holder = Mapping[str, str]


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action behind a `kaspa_lock` task; the module of that name does the work on the host."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"path", "state", "what", "run", "seize"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take or release the lock. The result has `ours`, and `told`: a sentence on another holder, or ""."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = self._task.args
        # Tasks run in children of ansible-playbook.
        ours = {
            "id": str(arguments.get("run") or run_id(os.getppid())),
            "who": f"{getpass.getuser()}@{platform.node()}",
            "what": str(arguments.get("what", "")),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        call = {"path": arguments["path"], "state": arguments.get("state", "held"), "holder": ours}
        answer = self._execute_module("kaspa_lock", call, task_vars=task_vars)
        holder = answer.get("holder") or ours
        told = ""
        if not answer.get("failed") and not answer.get("unreachable") and holder["id"] != ours["id"]:
            seize = bool(arguments.get("seize"))
            if call["state"] == "held" and (seize or dead(holder)):
                told = f"the lock of {described(holder, datetime.now(UTC))} is taken over"
                told += "" if seize else ", because that run is dead"
                answer = self._execute_module("kaspa_lock", {**call, "instead_of": holder["id"]}, task_vars=task_vars)
                holder = answer.get("holder") or ours
            else:
                told = described(holder, datetime.now(UTC))
        return {**result, **answer, "ours": holder["id"] == ours["id"], "told": told}


def controller() -> str:
    """What identifies this machine. Many have the same name, such as `localhost`, so the name alone is not enough."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        machine = f"{uuid.getnode():012x}"  # systems without systemd
    return f"{platform.node()}-{hashlib.sha256(machine.encode()).hexdigest()[:12]}"


def run_id(pid: int) -> str:
    """What identifies a run: the controller, the process, and when that began in ticks since boot."""
    return f"{controller()}:{pid}:{_began(pid)}"


def _began(pid: int) -> str:
    """ "0" on systems without /proc; "" if there is no such process."""
    try:
        # The name in parentheses may have spaces. The start is field 22.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "0"


def dead(holder: Holder) -> bool:
    """Whether the holder is a run of this controller that has ended. Of other controllers nothing is known."""
    machine, _, pid = holder["id"].rpartition(":")[0].rpartition(":")
    if machine != controller() or not pid.isdigit():
        return False
    return run_id(int(pid)) != holder["id"]


def described(holder: Holder, now: datetime) -> str:
    """`ann@laptop, deploy.yml, since 2026-11-30 23:12:05 UTC (3 min ago)`."""
    try:
        since = datetime.fromisoformat(holder["since"])
        minutes = int((now - since).total_seconds()) // 60
    except (ValueError, TypeError):
        return f"{holder['who']}, {holder['what']}, since {holder['since']}"
    return f"{holder['who']}, {holder['what']}, since {since:%Y-%m-%d %H:%M:%S} UTC ({minutes} min ago)"
