"""Finds Pythons on this machine: the virtual environment's own, and others to build C extensions with."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import locks
from commands import CACHE, ROOT, Command, Problem, run

ENVIRONMENT = ROOT / ".venv"
OWN_TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
HOSTS_REMEDY = "see the lines above; package hosts come from pip's own configuration (`pip config list`)"
_HEADERS = "import sysconfig, pathlib; print((pathlib.Path(sysconfig.get_path('include')) / 'Python.h').is_file())"
_TAG = "import sys; print(sys.implementation.cache_tag.replace('cpython-', 'cp'))"
_BUNDLED = """
import ensurepip, pathlib
print(*pathlib.Path(ensurepip.__file__).parent.glob('_bundled/pip-*.whl'))
"""


def environment_python() -> Path:
    """The Python of the checkout's virtual environment; without one, that of an environment made for building.

    An installed collection has none, and the Ansible that runs it may be anywhere, without any build tools.
    """
    python = ENVIRONMENT / "bin" / "python"
    return python if python.exists() else _with_tools(Path(sys.executable), OWN_TAG)


def builder(python_tag: str, arch: str, named: Path | None) -> Path | None:
    """A Python with that tag and its C headers on a machine of that kind; None if there is none.

    Raises Problem if the named one is not suitable.
    """
    if named is not None:
        if not _fits(named, python_tag) or arch != platform.machine():
            raise Problem(
                f"{named} can't build for {python_tag}-{arch}", "name a Python of that version with its headers"
            )
        return named
    if arch != platform.machine():
        return None
    other = shutil.which(f"python{python_tag[2]}.{python_tag[3:]}")
    candidates = [environment_python(), *([Path(other)] if other else [])]
    return next((python for python in candidates if _fits(python, python_tag)), None)


def tag_of(python: Path) -> str | None:
    """A Python's tag, such as `cp311`; None if it doesn't run or is not CPython."""
    try:
        tag = run([python, "-c", _TAG]).strip()
    except Problem:
        return None
    return tag if tag.startswith("cp") else None


def _fits(python: Path, python_tag: str) -> bool:
    return tag_of(python) == python_tag and run([python, "-c", _HEADERS]).strip() == "True"


def pip_of(python: Path, python_tag: str) -> Command:
    """The command that runs pip with the locked build tools for that Python."""
    own = python == environment_python()
    return [python if own else _with_tools(python, python_tag), "-m", "pip", "--disable-pip-version-check"]


def _with_tools(python: Path, python_tag: str) -> Path:
    """The Python of an environment for building, made once for each state of the lock."""
    directory = CACHE / "build" / f"{python_tag}-{locks.digest([locks.BOOTSTRAP], str(python))[:12]}"
    if not (directory / "complete").exists():
        create(python, directory)
        (directory / "complete").touch()
    return directory / "bin" / "python"


def create(python: Path, directory: Path) -> None:
    """Make an environment of that Python, in place of an earlier one, with the locked pip and build tools."""
    shutil.rmtree(directory, ignore_errors=True)
    run([python, "-m", "venv", "--without-pip", directory])
    wheel = bundled_pip(python)
    pip: list[str | Path] = [python, wheel / "pip"] if wheel else [python, "-m", "pip"]
    run(
        [*pip, "--python", directory / "bin" / "python", "install", "--require-hashes", "-r", locks.BOOTSTRAP],
        what="pip could not be installed",
        remedy=HOSTS_REMEDY if wheel else "apt-get install python3-venv",
    )


def bundled_pip(python: Path) -> Path | None:
    """A wheel of pip that came with that Python or with Debian's python3-pip-whl; None if there is none."""
    try:
        found = run([python, "-c", _BUNDLED]).split()
    except Problem:
        found = []
    wheels = [Path(name) for name in found] + sorted(Path("/usr/share/python-wheels").glob("pip-*.whl"))
    return wheels[-1] if wheels else None
