"""The checkout's virtual environment, made once for each state of its lock."""

from __future__ import annotations

import sys
from pathlib import Path

import interpreters
import locks
from commands import ROOT, Command, Problem, run
from interpreters import ENVIRONMENT, HOSTS_REMEDY
from progress import Progress

_PYTHON = ENVIRONMENT / "bin" / "python"
_PIP: Command = (_PYTHON, "-m", "pip", "--disable-pip-version-check")
_PACKAGES_STAMP = ENVIRONMENT / ".packages"
_PROJECT_STAMP = ENVIRONMENT / ".project"


def ensure(progress: Progress) -> None:
    """Make the parts of the environment that are missing or older than their lock. Raises Problem."""
    packages_key = locks.digest([locks.BOOTSTRAP, locks.CONTROLLER], sys.version)
    project_key = locks.digest([ROOT / "pyproject.toml"], packages_key, str(ROOT))
    if not _works():
        _create(progress)
    if not _is(_PACKAGES_STAMP, packages_key):
        _install_packages(progress)
        _PACKAGES_STAMP.write_text(packages_key)
    if not _is(_PROJECT_STAMP, project_key):
        _install_project(progress)
        _PROJECT_STAMP.write_text(project_key)


def _is(stamp: Path, key: str) -> bool:
    return stamp.is_file() and stamp.read_text() == key


def _works() -> bool:
    """Whether there is an environment, of the Python that runs this, with the locked pip in it."""
    version = next(pin.version for pin in locks.read(locks.BOOTSTRAP) if pin.name == "pip")
    probe = "import pip, sys; print(pip.__version__, sys.version)"
    try:
        return run([_PYTHON, "-c", probe]).strip() == f"{version} {sys.version}"
    except Problem:
        return False


def _create(progress: Progress) -> None:
    with progress.task("virtual environment") as task:
        task.detail = f"Python {sys.version.split()[0]}"
        interpreters.create(Path(sys.executable), ENVIRONMENT)


def _install_packages(progress: Progress) -> None:
    total = len(locks.read(locks.CONTROLLER))
    collected: list[str] = []
    with progress.task("Python packages") as task:

        def on_line(line: str) -> None:
            if line.startswith("Collecting "):
                collected.append(line)
                task.detail = f"{len(collected)} of {total} collected"
            elif line.startswith("Building "):
                task.detail = line.lower()
            elif line.startswith("Installing collected "):
                task.detail = lambda: f"{_installed()} of {total} installed"

        run(
            [*_PIP, "install", "--no-build-isolation", "--require-hashes", "-r", locks.CONTROLLER],
            on_line=on_line,
            what="the locked Python packages could not be installed",
            remedy=HOSTS_REMEDY,
        )
        task.detail = f"{total} locked by hash"


def _installed() -> int:
    return sum(1 for _ in ENVIRONMENT.glob("lib/python3*/site-packages/*.dist-info"))


def _install_project(progress: Progress) -> None:
    with progress.task("kaspa_node, editable"):
        options = ["--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=compat", "--editable", "."]
        run([*_PIP, "install", *options])
