"""Finds Pythons on this machine: the virtual environment's own, and others to build C extensions with."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import locks
from commands import ROOT, Command, Problem, run

ENVIRONMENT = ROOT / ".venv"
_HEADERS = "import sysconfig, pathlib; print((pathlib.Path(sysconfig.get_path('include')) / 'Python.h').is_file())"
_TAG = "import sys; print(sys.implementation.cache_tag.replace('cpython-', 'cp'))"
_BUNDLED = """
import ensurepip, pathlib
print(*pathlib.Path(ensurepip.__file__).parent.glob('_bundled/pip-*.whl'))
"""


def environment_python() -> Path:
    """The Python of the checkout's virtual environment, or the running one if that is another environment."""
    python = ENVIRONMENT / "bin" / "python"
    if python.exists():
        return python
    if sys.prefix != sys.base_prefix:
        return Path(sys.executable)
    raise Problem("the virtual environment is missing", "run `make setup` first")


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
    if python == environment_python():
        return [python, "-m", "pip", "--disable-pip-version-check"]
    tools = ROOT / ".cache" / "build" / python_tag
    if not (tools / "complete").exists():
        shutil.rmtree(tools, ignore_errors=True)
        run([python, "-m", "venv", "--without-pip", tools])
        pip: list[str | Path] = [environment_python(), "-m", "pip", "--python", tools / "bin" / "python"]
        run([*pip, "install", "--require-hashes", "-r", locks.BOOTSTRAP])
        (tools / "complete").touch()
    return [tools / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]


def bundled_pip(python: Path) -> Path | None:
    """A wheel of pip that came with that Python or with Debian's python3-pip-whl; None if there is none."""
    try:
        found = run([python, "-c", _BUNDLED]).split()
    except Problem:
        found = []
    wheels = [Path(name) for name in found] + sorted(Path("/usr/share/python-wheels").glob("pip-*.whl"))
    return wheels[-1] if wheels else None
