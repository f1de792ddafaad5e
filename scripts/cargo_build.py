"""Builds programs of a crate with cargo and the crate's lock file, and writes `provenance.json` beside them.

    python3 cargo_build.py --crate kaspa-p2p-lib --version 0.15.0 --program kaspa_p2p_client --out DIR

DIR then holds bin/ and provenance.json: crate, version, toolchain, machine and libc, when, and the SHA-256 of each
program. The crate comes from the registry that cargo is configured for. The last line printed says `built` or
`unchanged`.
Exit code 1: it can't be built, and why. On hosts it needs Python and the files that it imports.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import build_place
from commands import Problem, run
from progress import Progress

# How many crates cargo compiles for a crate, if known; for the progress.
_UNITS = {"kaspa-p2p-lib-0.15.0": 291}


@dataclass(frozen=True, slots=True)
class Crate:
    """What is built: programs of one version of a crate."""

    name: str
    version: str
    programs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class Terms:
    """How it is built. memory and disk: MiB that must be free; jobs: 0 leaves it to cargo; cargo: "" looks for one."""

    oldest: str = "1.81.0"
    packages: tuple[str, ...] = ("gcc", "libc6-dev", "protobuf-compiler")
    memory: int = 1500
    disk: int = 2500
    jobs: int = 0
    cargo: str = ""
    install: bool = False

    def look(self, directory: Path) -> dict[str, Any]:
        """The state of the build machine, by `build_place.look`."""
        return build_place.look(
            {
                "builds": True,
                "work": str(directory),
                "oldest": self.oldest,
                "packages": self.packages,
                "memory": self.memory,
                "disk": self.disk,
                "cargo": self.cargo,
            }
        )


class Count:
    """The progress of cargo, from the lines that it prints."""

    def __init__(self, crate: Crate) -> None:
        self._total = _UNITS.get(str(crate), 0)
        self._done = 0

    def line(self, line: str) -> str:
        """The text to show after this line."""
        word, _, rest = line.strip().partition(" ")
        self._done += word == "Compiling"
        of = f" of {self._total}" if self._total else ""
        return f"{self._done}{of} crates, {word.lower()} {rest[:60]}"


def flaw(directory: Path, crate: Crate) -> str | None:
    """Why the directory does not have the programs as they were built; None if it has."""
    kept = build_place.kept(directory)
    if not kept:
        return "not built"
    said = kept["provenance"]
    if not said:
        return "provenance.json can't be read"
    if (said.get("crate"), said.get("version")) != (crate.name, crate.version):
        return f"it holds {said.get('crate')} {said.get('version')}"
    for name in crate.programs:
        if name not in said["files"]:
            return f"{name} was not built"
        if said["files"][name] != kept["files"][name]:
            return f"{name} is not the one that was built"
    return None


def build(crate: Crate, directory: Path, progress: Progress, terms: Terms) -> bool:
    """Build what is missing; False if nothing was. Raises Problem."""
    with _alone(directory):
        if flaw(directory, crate) is None:
            return False
        place = terms.look(directory)
        if place["problems"]:
            raise Problem(f"{crate} can't be built here: {' | '.join(place['problems'])}")
        if place["missing"]:
            _install(place["missing"], progress, terms)
        _compile(crate, directory, progress, terms, Path(place["cargo"]["path"]))
        said = {
            "crate": crate.name,
            "version": crate.version,
            "cargo": place["cargo"]["version"],
            "rustc": place["cargo"]["rustc"],
            "protoc": run(["protoc", "--version"]).strip() if shutil.which("protoc") else None,
            "machine": place["arch"],
            "libc": f"{place['libc']['name']} {place['libc']['version']}",
            "host": platform.node(),
            "built": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": {name: build_place.digest(directory / "bin" / name) for name in crate.programs},
        }
        (directory / "provenance.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(_target(directory), ignore_errors=True)
        return True


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Waits for another process that builds into the directory."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(f".{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _target(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.target")


def _install(packages: list[str], progress: Progress, terms: Terms) -> None:
    if not terms.install:
        raise Problem(f"{', '.join(packages)} missing", f"sudo apt-get install {' '.join(packages)}")
    # On the controller only: hosts don't get that module.
    import debian

    with progress.task("Debian packages") as task:
        task.detail = " ".join(packages)
        debian.install(packages)


def _compile(crate: Crate, directory: Path, progress: Progress, terms: Terms, cargo: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    command: list[str | Path] = [
        "nice",
        "-n",
        "19",
        cargo,
        "install",
        crate.name,
        "--version",
        crate.version,
        "--locked",
    ]
    command += [word for name in crate.programs for word in ("--bin", name)]
    command += ["--root", directory, "--jobs", str(terms.jobs)] if terms.jobs else ["--root", directory]
    with progress.task(str(crate)) as task:
        count = Count(crate)

        def on_line(line: str) -> None:
            task.detail = count.line(line)

        task.detail = "looking"
        # Cargo must run the rustc beside it, not the first one in the PATH.
        env = {
            "CARGO_TARGET_DIR": str(_target(directory)),
            "CARGO_TERM_COLOR": "never",
            "PATH": f"{cargo.parent}:{os.environ.get('PATH', os.defpath)}",
        }
        try:
            run(command, on_line=on_line, env=env, cwd=directory)
        except Problem as problem:
            task.detail = "not built"
            raise Problem(f"cargo could not build {crate}", _remedy(problem.output), problem.output) from problem
        task.detail = "built"


def _remedy(output: str) -> str:
    if "signal: 9" in output:
        return "a compiler was killed, as the kernel does for want of memory; compile one crate at a time, or add swap"
    errors = [line.strip() for line in output.splitlines() if line.startswith("error")]
    said = f"{errors[0]}; " if errors else ""
    return f"{said}see the lines above; what was compiled is kept, and the next attempt goes on from there"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build programs of a crate by cargo.")
    terms = Terms()
    parser.add_argument("--crate", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--program", action="append", required=True, help="a program of it; may be given again")
    parser.add_argument("--out", type=Path, required=True, help="the directory to fill")
    parser.add_argument("--oldest", default=terms.oldest, help="the oldest Rust that can build it (%(default)s)")
    parser.add_argument("--cargo", default="", help="the cargo to use; without it the program looks for one")
    parser.add_argument("--package", action="append", default=[], help="a Debian package that the build needs")
    parser.add_argument("--install", action="store_true", help="install those that are missing, as root")
    parser.add_argument("--memory", type=int, default=0, help="MiB that must be free")
    parser.add_argument("--disk", type=int, default=0, help="MiB that must be free")
    parser.add_argument("--jobs", type=int, default=0, help="crates to compile at a time; 0: cargo decides")
    given = parser.parse_args(argv)
    crate = Crate(given.crate, given.version, tuple(given.program))
    terms = Terms(given.oldest, tuple(given.package), given.memory, given.disk, given.jobs, given.cargo, given.install)
    progress = Progress()
    try:
        with progress.heartbeat():
            built = build(crate, given.out.absolute(), progress, terms)
    except Problem as problem:
        print(f"{problem.output}{problem}", file=sys.stderr)
        return 1
    print(f"cargo {crate}: {'built' if built else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
