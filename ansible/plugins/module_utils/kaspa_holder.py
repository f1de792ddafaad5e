"""A run of deploy or of a task of fab: what identifies it, who began it, and whether it is still alive.

Runs on the controller. Deploy and fab share it.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

Holder = Mapping[str, str]
"""Who holds a lock: see kaspa_host_lock."""


def holder_for(run: str, what: str, now: datetime) -> dict[str, str]:
    """What a run writes into the locks that it takes. what: the playbook or the task."""
    return {
        "id": run,
        "who": f"{_user()}@{platform.node()}",
        "what": what,
        "since": now.isoformat(timespec="seconds"),
    }


def claim(ours: Holder, take: Callable[[str], Holder], now: datetime, *, seize: bool) -> tuple[bool, str]:
    """Take a host's lock, also from a run that is dead.

    take: asks the host for the lock, in place of the run of that id ("": of none), and returns who holds it then.
    seize: also from a run that may be alive. Returns whether the lock is ours, and a sentence: on whose lock was taken
    over, "" if there was none; or on who holds it.
    """
    first = take("")
    if first["id"] == ours["id"]:
        return True, ""
    holder = take(first["id"]) if seize or dead(first) else first
    if holder["id"] != ours["id"]:
        return False, described(holder, now)
    why = ", because that run is dead" if dead(first) else ""
    return True, f"the lock of {described(first, now)} is taken over{why}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no variable has the name, and the system does not know the user
        return str(os.getuid())


def controller() -> str:
    """What identifies this machine. Many have the same name, such as `localhost`, so the name alone is not enough."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        machine = f"{uuid.getnode():012x}"  # systems without systemd
    return f"{platform.node()}-{hashlib.sha256(f'{machine} {_processes()}'.encode()).hexdigest()[:12]}"


def _processes() -> str:
    """What identifies the table of processes; "" on systems without /proc.

    Containers of one image can have the same name and the same machine-id, and don't see each other's processes.
    """
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


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
    # A clock was set since then, or is wrong on one of two controllers.
    ago = f"{minutes} min ago" if minutes >= 0 else "by another clock"
    return f"{holder['who']}, {holder['what']}, since {since:%Y-%m-%d %H:%M:%S} UTC ({ago})"
