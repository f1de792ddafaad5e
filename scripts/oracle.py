"""Builds the seed's own programs, `kaspa_p2p_server` and `kaspa_p2p_client`, for `make test-oracle`.

They come unmodified from the public crates registry, as `cargo` on this machine is set up to reach it, and land in
.cache/oracle/<crate>-<version>/ with `provenance.json`: crate, version, compiler, and the SHA-256 of each program. Some
six to ten minutes on two cores; with nothing to do when they are there. Exit code 1: they can't be had, and why.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import debian
from commands import ROOT, Problem, run
from progress import Progress

PLACE = ROOT / ".cache" / "oracle"
PROGRAMS = ("kaspa_p2p_client", "kaspa_p2p_server")
COMPILER = "protobuf-compiler"


@dataclass(frozen=True, slots=True)
class Crate:
    """What is built. units: how many crates cargo compiles for it, for the progress shown."""

    name: str = "kaspa-p2p-lib"
    version: str = "0.15.0"
    units: int = 291

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"


CRATE = Crate()


def place(crate: Crate = CRATE, base: Path = PLACE) -> Path:
    """Where the programs of that version are kept."""
    return base / str(crate)


def program(name: str) -> Path:
    """One of the programs."""
    return place() / "bin" / name


def flaw(directory: Path) -> str | None:
    """Why the directory does not hold the programs as they were built; None when it does."""
    try:
        kept = json.loads((directory / "provenance.json").read_text(encoding="utf-8"))["files"]
        for name in PROGRAMS:
            if kept[name] != _digest(directory / "bin" / name):
                return f"{name} is not the one that was built"
    except FileNotFoundError:
        return "not built"
    except (ValueError, LookupError, TypeError):
        return "provenance.json can't be read"
    return None


def obstacle() -> str | None:
    """Why they can't be built here; None when they can, or when what is missing can be installed."""
    if shutil.which("cargo") is None:
        return "cargo is not installed: it comes with Rust, https://www.rust-lang.org/tools/install"
    if shutil.which("protoc") is None and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        return f"protoc is not installed: sudo apt-get install {COMPILER}"
    return None


def build(progress: Progress, crate: Crate = CRATE, base: Path = PLACE) -> bool:
    """Build what is not there; False when all of it was. Raises Problem."""
    directory = place(crate, base)
    if flaw(directory) is None:
        return False
    reason = obstacle()
    if reason is not None:
        raise Problem(f"{crate} can't be built", reason)
    if shutil.which("protoc") is None:
        with progress.task("Debian package") as task:
            task.detail = COMPILER
            debian.install([COMPILER])
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    target = base / "target"
    with progress.task(str(crate)) as task:
        done = 0

        def on_line(line: str) -> None:
            nonlocal done
            word, _, rest = line.strip().partition(" ")
            done += word == "Compiling"
            task.detail = f"{done} of {crate.units} crates, {word.lower()} {rest[:60]}"

        task.detail = "looking"
        run(
            [*("nice", "-n", "19", "cargo", "install", crate.name, "--version", crate.version, "--locked")]
            + ["--root", directory],
            on_line=on_line,
            env={"CARGO_TARGET_DIR": str(target), "CARGO_TERM_COLOR": "never"},
            what=f"cargo could not build {crate}",
            remedy="see the lines above; what was compiled is kept, and `make oracle` goes on from there",
        )
        task.detail = "built"
    provenance = {
        "crate": crate.name,
        "version": crate.version,
        "rustc": run(["rustc", "--version"]).strip(),
        "protoc": run(["protoc", "--version"]).strip(),
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {name: _digest(directory / "bin" / name) for name in PROGRAMS},
    }
    (directory / "provenance.json").write_text(json.dumps(provenance, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    return True


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main(argv: list[str] | None = None, base: Path = PLACE) -> int:
    parser = argparse.ArgumentParser(description="Build the seed's own programs to test against.")
    parser.add_argument("--if-possible", action="store_true", help="exit with 0 also where they can't be built here")
    arguments = parser.parse_args(argv)
    progress = Progress()
    reason = obstacle()
    if arguments.if_possible and reason is not None and flaw(place(base=base)) is not None:
        print(f"oracle {CRATE}: left out, {reason}")
        return 0
    try:
        with progress.heartbeat():
            built = build(progress, base=base)
    except Problem as problem:
        print(f"{problem.output}oracle: {problem}", file=sys.stderr)
        return 1
    print(f"oracle {CRATE}: {'built' if built else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
