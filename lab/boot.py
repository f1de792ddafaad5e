"""Boots one host and keeps it running: `lab up` starts this program for each host, in its own mount namespace.

The overlay is mounted in that namespace, so it disappears with the process in any case.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import cgroups
from lab.command import run, succeeds
from lab.errors import LabError
from lab.topology import PREFIX

REBOOT = 133
"""systemd-nspawn's exit status if the host asks for a reboot (with --keep-unit)."""

ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    # The host sees one cgroup2 mount on every machine; its /proc/sys/net is its own and writable.
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
}


def mount_root(base: Path, directory: Path) -> Path:
    """Mount the host's own files over the base. Raises LabError."""
    root = directory / "root"
    root.mkdir(exist_ok=True)
    upper = directory / "upper"
    if not _overlay(base, upper, directory / "work", root):
        # An overlay on an overlay (as in most containers) is not possible: keep the host's files in memory.
        memory = directory / "memory"
        memory.mkdir(exist_ok=True)
        run(["mount", "-t", "tmpfs", "-o", "mode=755", "kaspa-lab", str(memory)])
        shutil.copytree(upper, memory / "upper", symlinks=True)
        if not _overlay(base, memory / "upper", memory / "work", root):
            raise LabError(f"cannot mount an overlay on {base}; put the checkout on ext4, xfs or btrfs")
    return root


def _overlay(base: Path, upper: Path, work: Path, root: Path) -> bool:
    work.mkdir(exist_ok=True)
    layers = f"lowerdir={base},upperdir={upper},workdir={work}"
    return succeeds(["mount", "-t", "overlay", "kaspa-lab", "-o", layers, str(root)])


def nspawn(name: str, root: Path, namespace: str) -> list[str]:
    """The command line that boots the host; what each flag is for: docs/lab.md."""
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        f"--directory={root}",
        f"--machine={PREFIX}{name}",
        f"--hostname={name}",
        f"--network-namespace-path={namespace}",
        "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
        "--drop-capability=CAP_MKNOD",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=pipe",
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m lab.boot", description="boots one host of the lab")
    parser.add_argument("--name", required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="the host's own files: upper, work, root")
    parser.add_argument("--namespace", required=True, help="file of the host's network namespace")
    arguments = parser.parse_args(argv)
    try:
        cgroups.join(arguments.name, os.getpid())
        root = mount_root(arguments.base, arguments.directory)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    command = nspawn(arguments.name, root, arguments.namespace)
    while True:
        status = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL).returncode
        if status != REBOOT:
            return status


if __name__ == "__main__":
    sys.exit(main())
