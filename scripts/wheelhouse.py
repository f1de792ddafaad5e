"""The content of a wheelhouse, and how it is filled. Every download is checked against requirements/*.txt."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import interpreters
import locks
from commands import CACHE, ROOT, Command, Problem, run
from progress import Progress

ARCHITECTURES = ("x86_64", "aarch64")
# Published as sources only. The first needs a C compiler and the hosts' Python version; any Python builds the others.
COMPILED = frozenset({"fastecdsa"})
PURE = frozenset({"python-baseconv", "varint"})
# The oldest C library among the supported hosts: Debian 12 has 2.36.
_NEWEST_GLIBC_MINOR = 36
_OLDEST_GLIBC_MINOR = 5
# The same sources give the same bytes: the earliest time of the zip format, and no paths for debuggers.
_REPRODUCIBLE = {"SOURCE_DATE_EPOCH": "315532800", "CFLAGS": "-g0", "PYTHONDONTWRITEBYTECODE": "1"}
_PROJECT_FILES = ("pyproject.toml", "README.md", "LICENSE")
_PROJECT_SUFFIXES = frozenset({".py", ".pyi", ".proto", ".typed"})


@dataclass(frozen=True, slots=True)
class Target:
    """The hosts' Python, as a tag such as `cp311`, and their machine, such as `x86_64`."""

    python_tag: str
    arch: str

    def __str__(self) -> str:
        return f"{self.python_tag}-{self.arch}"

    @property
    def version(self) -> str:
        """`3.11` for `cp311`."""
        return f"{self.python_tag[2]}.{self.python_tag[3:]}"

    @property
    def platforms(self) -> list[str]:
        """Platform tags that the hosts accept, newest first (PEP 600, PEP 599)."""
        minors = range(_NEWEST_GLIBC_MINOR, _OLDEST_GLIBC_MINOR - 1, -1)
        return [f"manylinux_2_{minor}_{self.arch}" for minor in minors] + [f"manylinux2014_{self.arch}"]


def default_place(target: Target) -> Path:
    """Where a target's wheelhouse is kept."""
    return CACHE / "wheels" / str(target)


def build(
    target: Target, out: Path, progress: Progress, python: Path | None = None, *, allow_sources: bool = False
) -> bool:
    """Fill `out`, one process at a time; return whether anything in it changed. Raises Problem."""
    out.mkdir(parents=True, exist_ok=True)
    with (out.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _refresh(target, out, progress, python, allow_sources=allow_sources)


def _refresh(target: Target, out: Path, progress: Progress, python: Path | None, *, allow_sources: bool) -> bool:
    manifest = _manifest(out)
    packages_key = locks.digest([locks.RUNTIME, locks.BOOTSTRAP], str(target))
    project_key = project_digest()
    fresh = manifest["packages_key"] == packages_key and (allow_sources or not manifest["sources"])
    fresh = fresh and all((out / name).is_file() for name in manifest["files"])
    if fresh and manifest["project_key"] == project_key:
        return False
    pip: Command = interpreters.pip_of(interpreters.environment_python(), target.python_tag)
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=out.parent) as name:
        staging = Path(name)
        if fresh:
            for kept in manifest["files"]:
                if kept != manifest["project"]:
                    shutil.copy2(out / kept, staging)
            sources = manifest["sources"]
        else:
            sources = _fill(target, staging, pip, progress, python, allow_sources)
        before = set(staging.iterdir())
        with progress.task("wheel of kaspa_node"):
            _build_project(pip, staging)
        (project,) = set(staging.iterdir()) - before
        _write_lists(staging, sources, project.name, packages_key, project_key)
        for stale in out.iterdir():
            stale.unlink()
        for file in staging.iterdir():
            shutil.move(file, out)
    return True


def project_digest() -> str:
    """One hash over all files that the project's own wheel is made from."""
    return locks.digest([], *(f"{file.relative_to(ROOT)} {_sha256(file)}" for file in _sources()))


def _sources() -> list[Path]:
    package = (p for p in (ROOT / "kaspa_node").rglob("*") if p.suffix in _PROJECT_SUFFIXES and p.is_file())
    return [ROOT / name for name in _PROJECT_FILES if (ROOT / name).is_file()] + sorted(package)


def _manifest(out: Path) -> dict[str, Any]:
    """The content of the directory by its last build; empty if there was none or it was interrupted."""
    try:
        found: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {"packages_key": "", "project_key": "", "project": "", "sources": [], "files": {}}
    return found


def _fill(
    target: Target, staging: Path, pip: Command, progress: Progress, python: Path | None, allow_sources: bool
) -> list[str]:
    """Download and build every pinned package into `staging`; return the names of those left as sources."""
    pins = locks.read(locks.RUNTIME)
    own_pip = [pin for pin in locks.read(locks.BOOTSTRAP) if pin.name == "pip"]
    wheels = [pin for pin in pins if pin.name not in COMPILED | PURE] + own_pip
    builder = interpreters.builder(target.python_tag, target.arch, python)
    if builder is None and not allow_sources:
        raise Problem(
            f"building {', '.join(sorted(COMPILED))} for {target} takes a Python {target.version} with its headers",
            f"name one with --python (Debian: python{target.version}-dev), run this on a machine that has one, "
            "or let the hosts compile it with --allow-sources",
        )
    _download(target, staging, pip, wheels, progress)
    with progress.task("wheels built from sources") as task:
        task.detail = ", ".join(sorted(PURE))
        _build(pip, [pin for pin in pins if pin.name in PURE], staging)
        compiled = [pin for pin in pins if pin.name in COMPILED]
        if builder is not None:
            task.detail = ", ".join(sorted(COMPILED | PURE))
            _build(interpreters.pip_of(builder, target.python_tag), compiled, staging)
            return []
    _download_sources(target, staging, pip, compiled, progress)
    return sorted(COMPILED)


def _download(target: Target, staging: Path, pip: Command, pins: list[locks.Pin], progress: Progress) -> None:
    platforms = [word for name in target.platforms for word in ("--platform", name)]
    with progress.task("wheels downloaded") as task, tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        _write_pins(listing.name, pins)
        collected: list[str] = []

        def on_line(line: str) -> None:
            if line.startswith("Collecting "):
                collected.append(line)
                task.detail = f"{len(collected)} of {len(pins)}"

        run(
            [*pip, "download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation", "cp"]
            + ["--python-version", target.version, *platforms, "-r", listing.name, "-d", staging],
            on_line=on_line,
            what="a wheel could not be downloaded",
            remedy="see the lines above; package hosts come from pip's own configuration (`pip config list`)",
        )


def _download_sources(target: Target, staging: Path, pip: Command, pins: list[locks.Pin], progress: Progress) -> None:
    """The sources of packages that the hosts build themselves, and the build tools, listed in build.txt."""
    tools = [pin for pin in locks.read(locks.BOOTSTRAP) if pin.name != "pip"]
    runtime = {pin.name for pin in locks.read(locks.RUNTIME)}
    _download(target, staging, pip, [pin for pin in tools if pin.name not in runtime], progress)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        _write_pins(listing.name, pins)
        options = ["--no-deps", "--require-hashes", "--no-build-isolation", "--no-binary=:all:"]
        run([*pip, "download", *options, "-r", listing.name, "-d", staging])
    names = {pin.name for pin in tools}
    (staging / "build.txt").write_text("".join(_entry(f) for f in _distributions(staging) if _name(f)[0] in names))


def _build(pip: Command, pins: list[locks.Pin], staging: Path) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        _write_pins(listing.name, pins)
        run(
            [*pip, "wheel", "--no-deps", "--no-build-isolation", "--require-hashes", "-r", listing.name, "-w", staging],
            env=_REPRODUCIBLE,
            what=f"building {', '.join(pin.name for pin in pins)} failed",
            remedy="the compiler, libgmp-dev or the Python headers are missing: `make setup` as root installs them",
        )


def _build_project(pip: Command, staging: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        for file in _sources():
            copy = Path(name) / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        run([*pip, "wheel", "--no-deps", "--no-build-isolation", name, "-w", staging], env=_REPRODUCIBLE)


def _write_pins(path: str, pins: list[locks.Pin]) -> None:
    Path(path).write_text("".join(pin.entry for pin in pins), encoding="utf-8")


def _distributions(directory: Path) -> list[Path]:
    return sorted(f for f in directory.iterdir() if f.suffix == ".whl" or f.name.endswith(".tar.gz"))


def _name(file: Path) -> tuple[str, str]:
    """Name and version from a distribution's file name (PEP 427, PEP 625)."""
    parts = file.name.removesuffix(".tar.gz").split("-")
    return (locks.normalised(parts[0]), parts[1]) if file.suffix == ".whl" else (locks.normalised(parts[-2]), parts[-1])


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _entry(file: Path) -> str:
    name, version = _name(file)
    return f"{name}=={version} --hash=sha256:{_sha256(file)}\n"


def _write_lists(staging: Path, sources: list[str], project: str, packages_key: str, project_key: str) -> None:
    listed = {pin.name for pin in locks.read(locks.RUNTIME)} | {_name(staging / project)[0]}
    files = _distributions(staging)
    (staging / "hosts.txt").write_text("".join(_entry(f) for f in files if _name(f)[0] in listed), encoding="utf-8")
    pip_wheel = next(f.name for f in files if _name(f)[0] == "pip")
    manifest = {
        "packages_key": packages_key,
        "project_key": project_key,
        "project": project,
        "pip": pip_wheel,
        "sources": sources,
        "files": {f.name: _sha256(f) for f in sorted(staging.iterdir()) if f.name != "manifest.json"},
    }
    (staging / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
