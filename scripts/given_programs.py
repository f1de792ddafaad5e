"""Fetches programs that somebody else built, checks their SHA-256, and stores them as `cargo_build.py` does.

    python3 given_programs.py --crate NAME --version VERSION --out DIR --file kaspad https://example.org/kaspad SHA256

A source is a path or an http(s) address. The last line printed says `taken` or `unchanged`. Exit code 1: one of them
can't be fetched, or has another SHA-256.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import build_place
from commands import Problem
from progress import Progress, Task

_CHUNK = 1 << 16
_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Given:
    """A program: its name, a path or an address, and its SHA-256 in hexadecimal."""

    name: str
    source: str
    sha256: str


def take(given: list[Given], directory: Path, said: dict[str, str], progress: Progress) -> bool:
    """Fill the directory; False if nothing was missing. `said` is recorded beside the sums. Raises Problem."""
    wanted = {**said, "files": {one.name: one.sha256.lower() for one in given}}
    kept = build_place.kept(directory)
    if kept and kept["provenance"] == wanted and kept["files"] == wanted["files"]:
        return False
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "bin").mkdir(parents=True)
    for one in given:
        with progress.task(one.name) as task:
            _one(one, directory / "bin" / one.name, task)
    (directory / "provenance.json").write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    return True


def _one(given: Given, place: Path, task: Task) -> None:
    digest, size = hashlib.sha256(), 0
    try:
        if given.source.startswith(("http://", "https://")):
            source = urllib.request.urlopen(given.source, timeout=_TIMEOUT)
        else:
            source = Path(given.source).expanduser().open("rb")
        with source, place.open("wb") as out:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
                task.detail = f"{size >> 20} MiB"
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else getattr(error, "strerror", None) or error
        raise Problem(f"{given.source} can't be had: {reason}", "correct rust_build_files") from error
    if digest.hexdigest() != given.sha256.lower():
        place.unlink()
        raise Problem(
            f"{given.source} has the SHA-256 {digest.hexdigest()}, and {given.sha256} was given",
            "find out which is right before you change rust_build_files",
        )
    place.chmod(0o755)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fetch programs that somebody else built.")
    parser.add_argument("--crate", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=Path, required=True, help="the directory to fill")
    parser.add_argument("--file", nargs=3, action="append", required=True, metavar=("NAME", "SOURCE", "SHA256"))
    arguments = parser.parse_args(argv)
    progress = Progress()
    given = [Given(*words) for words in arguments.file]
    try:
        with progress.heartbeat():
            said = {"crate": arguments.crate, "version": arguments.version}
            taken = take(given, arguments.out.absolute(), said, progress)
    except Problem as problem:
        print(f"given programs: {problem}", file=sys.stderr)
        return 1
    print(f"given {arguments.crate}-{arguments.version}: {'taken' if taken else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
