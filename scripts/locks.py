"""Reads the hash-locked lists in requirements/."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from commands import ROOT

REQUIREMENTS = ROOT / "requirements"
BOOTSTRAP = REQUIREMENTS / "bootstrap.txt"
RUNTIME = REQUIREMENTS / "runtime.txt"
CONTROLLER = REQUIREMENTS / "controller.txt"

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked package: its normalised name, its version, and its entry in the file, with hashes."""

    name: str
    version: str
    entry: str


def normalised(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path) -> list[Pin]:
    """The pins of one locked file, in its order. Raises ValueError for a line that is neither pin, hash nor comment."""
    pins: list[list[str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if _PIN.match(line):
            pins.append([line])
        elif line.strip().startswith("--hash=sha256:") and pins:
            pins[-1].append(line)
        else:
            raise ValueError(f"{path.name}: a line that is no pin and no hash: {line!r}")
    return [_pin(lines) for lines in pins]


def _pin(lines: list[str]) -> Pin:
    match = _PIN.match(lines[0])
    assert match is not None
    return Pin(normalised(match[1]), match[2], "\n".join(lines) + "\n")


def digest(paths: Iterable[Path], *texts: str) -> str:
    """One SHA-256 over files, by name and content, and texts."""
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    for text in texts:
        total.update(f"{text}\0".encode())
    return total.hexdigest()
