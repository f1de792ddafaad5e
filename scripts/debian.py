"""Finds missing Debian packages of the controller, and installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import locks
from commands import Problem, run
from progress import Progress

LIST = locks.REQUIREMENTS / "debian.txt"
_APT = ["apt-get", "--yes", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0"]
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def wanted(path: Path = LIST) -> dict[str, str]:
    """Package → what it is for: `build` or `lab`. Raises ValueError for a line that is neither."""
    packages: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        purpose, name = line.split()
        if purpose not in ("build", "lab"):
            raise ValueError(f"{path.name}: {purpose!r} is neither build nor lab")
        packages[name] = purpose
    return packages


def missing(names: Iterable[str]) -> list[str]:
    """The packages that are not installed. Raises FileNotFoundError if there is no dpkg."""
    listing = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${binary:Package}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    installed = {line.split()[1].partition(":")[0] for line in listing.splitlines() if line.startswith("installed ")}
    return [name for name in names if name not in installed]


def ensure(progress: Progress) -> None:
    """Install missing packages if possible; otherwise say what to install and continue: much works without them."""
    packages = wanted()
    try:
        absent = missing(packages)
    except FileNotFoundError:
        if shutil.which("gcc") is None:
            progress.say("this is no Debian: install a C compiler, GMP and the Python headers by its own means")
        return
    if not absent:
        return
    if os.geteuid() != 0:
        for purpose, loss in (("build", "setup may fail"), ("lab", "booted hosts can't run here")):
            names = [name for name in absent if packages[name] == purpose]
            if names:
                progress.say(f"without them {loss}: sudo apt-get install {' '.join(names)}")
        return
    with progress.task("Debian packages") as task:
        task.detail = " ".join(absent)
        install(absent)


def install(names: list[str]) -> None:
    """Refreshes apt's lists only if they are too old to install from."""
    try:
        run([*_APT, "install", *names], env=_QUIET)
    except Problem:
        run(["apt-get", "update"], env=_QUIET, what="apt-get update failed", remedy="see the lines above")
        run(
            [*_APT, "install", *names],
            env=_QUIET,
            what=f"apt-get could not install {' '.join(names)}",
            remedy="see the lines above; package hosts come from apt's own configuration",
        )
