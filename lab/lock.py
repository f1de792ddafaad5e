"""One lab on a machine, and one command changing it at a time."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

LOCK = Path("/run/lock/kaspa-lab.lock")


@contextmanager
def exclusive(path: Path = LOCK, *, timeout: float = 120.0) -> Iterator[None]:
    """Hold the lock during the block. Raises LabError when another command holds it for `timeout` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        deadline = time.monotonic() + timeout
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"another lab command holds {path} for {timeout:.0f} s; end it, or wait for it"
                    ) from error
                if not told:
                    print("waiting for another lab command", flush=True)
                    told = True
                time.sleep(0.1)
        yield
