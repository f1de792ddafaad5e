"""The checkout's virtual environment and Ansible's collections, each made once for each state of its lock."""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import interpreters
import locks
from commands import ROOT, Command, Problem, run
from interpreters import ENVIRONMENT
from progress import Progress, together

COLLECTIONS = ROOT / ".cache" / "collections"
WANTED_COLLECTIONS = ("community/general", "ansible/posix")
_PYTHON = ENVIRONMENT / "bin" / "python"
_PIP: Command = (_PYTHON, "-m", "pip", "--disable-pip-version-check")
_PACKAGES_STAMP = ENVIRONMENT / ".packages"
_PROJECT_STAMP = ENVIRONMENT / ".project"
_COLLECTIONS_STAMP = COLLECTIONS / ".complete"
_HOSTS_REMEDY = "see the lines above; package hosts come from pip's own configuration (`pip config list`)"


def ensure(progress: Progress) -> None:
    """Make the parts of the environment that are missing or older than their lock. Raises Problem."""
    packages_key = locks.digest([locks.BOOTSTRAP, locks.CONTROLLER], sys.version)
    project_key = locks.digest([ROOT / "pyproject.toml"], packages_key, str(ROOT))
    collections_key = locks.digest([locks.COLLECTIONS], *WANTED_COLLECTIONS)

    def environment() -> None:
        if not _is(_PACKAGES_STAMP, packages_key):
            _install_packages(progress)
            _PACKAGES_STAMP.write_text(packages_key)
        if not _is(_PROJECT_STAMP, project_key):
            _install_project(progress)
            _PROJECT_STAMP.write_text(project_key)

    def collections() -> None:
        if not _is(_COLLECTIONS_STAMP, collections_key):
            _install_collections(progress)
            _COLLECTIONS_STAMP.write_text(collections_key)

    if not _works():
        _create(progress)
    together(environment, collections)


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
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        run([sys.executable, "-m", "venv", "--without-pip", ENVIRONMENT])
        wheel = interpreters.bundled_pip(Path(sys.executable))
        pip: list[str | Path] = [sys.executable, wheel / "pip"] if wheel else [sys.executable, "-m", "pip"]
        run(
            [*pip, "--python", _PYTHON, "install", "--require-hashes", "-r", locks.BOOTSTRAP],
            what="pip could not be installed",
            remedy=_HOSTS_REMEDY if wheel else "apt-get install python3-venv",
        )


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
            remedy=_HOSTS_REMEDY,
        )
        task.detail = f"{total} locked by hash"


def _installed() -> int:
    return sum(1 for _ in ENVIRONMENT.glob("lib/python3*/site-packages/*.dist-info"))


def _install_project(progress: Progress) -> None:
    with progress.task("kaspa_node, editable"):
        options = ["--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=compat", "--editable", "."]
        run([*_PIP, "install", *options])


def _install_collections(progress: Progress) -> None:
    with progress.task("Ansible collections") as task, tempfile.TemporaryDirectory() as scratch:
        task.detail = "54 MB to download"
        run(
            [*_PIP, "download", "--no-deps", "--require-hashes", "--only-binary=:all:"]
            + ["--dest", scratch, "-r", locks.COLLECTIONS],
            what="the Ansible collections could not be downloaded",
            remedy=_HOSTS_REMEDY,
        )
        (wheel,) = Path(scratch).glob("*.whl")
        shutil.rmtree(COLLECTIONS, ignore_errors=True)
        prefixes = tuple(f"ansible_collections/{name}/" for name in WANTED_COLLECTIONS)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(COLLECTIONS, [name for name in archive.namelist() if name.startswith(prefixes)])
        task.detail = ", ".join(name.replace("/", ".") for name in WANTED_COLLECTIONS)
