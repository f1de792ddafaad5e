"""The booted lab's network namespaces: named, below /run/netns, each with the lab's prefix."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from lab.command import run
from lab.errors import LabError
from lab.topology import NAMESPACES, PREFIX
from lab.waiting import until

RUN_NETNS = Path("/run/netns")


class NamedNamespaces:
    """Namespaces that `ip netns` made."""

    def path(self, name: str) -> str:
        return str(RUN_NETNS / (PREFIX + name))

    def enter(self, name: str) -> list[str]:
        return ["nsenter", f"--net={self.path(name)}", "--"]

    def create(self, names: Iterable[str] = NAMESPACES) -> None:
        for name in names:
            run(["ip", "netns", "add", PREFIX + name])

    def complete(self, names: Iterable[str] = NAMESPACES) -> bool:
        """Whether all these namespaces exist."""
        return all(os.path.ismount(self.path(name)) for name in names)

    def left(self) -> list[str]:
        """Names of namespaces with the lab's prefix, of any topology."""
        return sorted(entry.name for entry in RUN_NETNS.glob(PREFIX + "*")) if RUN_NETNS.is_dir() else []

    def end_processes(self, *, timeout: float = 5.0) -> None:
        """End processes that were started inside by hand: shells, shared SSH connections. They keep a namespace alive.

        Raises LabError for processes that survive SIGKILL.
        """
        inodes = {(RUN_NETNS / name).stat().st_ino for name in self.left()}
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in _inside(inodes):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            if until(lambda: not _inside(inodes), timeout=timeout / 2):
                return
        raise LabError(f"processes {sorted(_inside(inodes))} in the lab's networks survive SIGKILL")

    def delete(self, names: Iterable[str] | None = None) -> None:
        """Remove these namespaces, by default all with the lab's prefix; then the mount of /run/netns too.

        `ip netns add` binds /run/netns onto itself and never undoes it.
        """
        for name in self.left() if names is None else [PREFIX + name for name in names]:
            run(["ip", "netns", "delete", name], check=False)
            (RUN_NETNS / name).unlink(missing_ok=True)
        if RUN_NETNS.is_dir() and not any(RUN_NETNS.iterdir()):
            for _ in range(mounts_at(str(RUN_NETNS))):
                run(["umount", str(RUN_NETNS)], check=False)


def _inside(inodes: set[int]) -> set[int]:
    """The other processes whose network namespace is one of these."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                if (entry / "ns/net").stat().st_ino in inodes:
                    found.add(int(entry.name))
    return found - {os.getpid()}


def mounts_at(path: str, mountinfo: Path = Path("/proc/self/mountinfo")) -> int:
    """The number of mounts on `path` (proc(5), fifth field; a directory bound onto itself is visible only there)."""
    return sum(line.split(" ")[4] == path for line in mountinfo.read_text().splitlines())
