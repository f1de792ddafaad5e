"""One cgroup for the whole lab, one below it for each host and helper: so processes can be killed without PIDs.

Machines mount cgroup2 at /sys/fs/cgroup, or beside the older hierarchies at /sys/fs/cgroup/unified; if a named
systemd hierarchy is mounted too, systemd-nspawn needs the same directory there.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.errors import LabError
from lab.waiting import until

ROOT = "kaspa-lab"
MOUNT = Path("/sys/fs/cgroup")


def unified(mount: Path = MOUNT) -> Path | None:
    """The root of the cgroup2 hierarchy, or None."""
    for candidate in (mount, mount / "unified"):
        if (candidate / "cgroup.controllers").is_file():
            return candidate
    return None


def hierarchies(mount: Path = MOUNT) -> list[Path]:
    """The hierarchies in which a host needs a directory of its own, cgroup2 first."""
    first = unified(mount)
    found = [first] if first else []
    if (mount / "systemd" / "cgroup.procs").is_file():
        found.append(mount / "systemd")
    return found


def join(name: str, pid: int) -> None:
    """Move the process `pid` into the lab's cgroup `name`, making it."""
    for hierarchy in hierarchies():
        directory = hierarchy / ROOT / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cgroup.procs").write_text(str(pid))


def populated(name: str = "") -> bool:
    """Whether a process lives in the lab's cgroup `name`, or anywhere in the lab."""
    root = unified()
    events = root / ROOT / name / "cgroup.events" if root else None
    return bool(events and events.is_file() and "populated 1" in events.read_text())


def kill(name: str = "", *, timeout: float = 10.0) -> None:
    """Kill every process in the lab's cgroup `name` (in the whole lab without a name), and remove the directories.

    Raises LabError if something survives for `timeout` seconds.
    """
    root = unified()
    if root is not None and (root / ROOT / name).is_dir():
        directory = root / ROOT / name
        (directory / "cgroup.freeze").write_text("0")
        (directory / "cgroup.kill").write_text("1")
        if not until(lambda: not populated(name), timeout=timeout):
            raise LabError(f"processes in {directory} survive SIGKILL for {timeout:.0f} s")
    for hierarchy in hierarchies():
        remove(hierarchy / ROOT / name, timeout=timeout)


def remove(directory: Path, *, timeout: float = 5.0) -> None:
    """Remove a cgroup directory and those below it; the kernel may still be releasing the last process."""
    reason: str | None = ""

    def removed() -> bool:
        nonlocal reason
        try:
            for below, _, _ in os.walk(directory, topdown=False):
                os.rmdir(below)
        except OSError as error:
            reason = error.strerror
        return not directory.is_dir()

    if not until(removed, timeout=timeout):
        raise LabError(f"cannot remove the cgroup {directory}: {reason}")


def freeze(name: str, *, frozen: bool) -> None:
    """Freeze or thaw every process of a host."""
    root = unified()
    if root is None:
        raise LabError("no cgroup2 hierarchy is mounted")
    (root / ROOT / name / "cgroup.freeze").write_text("1" if frozen else "0")
