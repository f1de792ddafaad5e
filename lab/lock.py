"""One lab on a machine, and one command that changes it at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lab.errors import LabError
from lab.waiting import until

LOCK = Path("/run/lock/kaspa-lab.lock")


@contextmanager
def exclusive(path: Path = LOCK, *, timeout: float = 120.0) -> Iterator[None]:
    """Hold the lock during the block. Raises LabError if another command holds it for `timeout` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        if not _taken(file):
            print("waiting for another lab command", flush=True)
            if not until(lambda: _taken(file), timeout=timeout, pause=0.1):
                raise LabError(f"another lab command holds {path}; end it, or wait for it")
        yield


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
