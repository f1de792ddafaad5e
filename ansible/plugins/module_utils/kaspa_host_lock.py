"""The lock on a host: one operator at a time changes it. Deploy and fab share it.

    python3 kaspa_host_lock.py look PATH · take PATH HOLDER [ID] · release PATH ID

prints {"holder": HOLDER or null} as JSON. A holder is an object of texts: `id` (CONTROLLER:PID:START of the run), `who`
(user@controller), `what` (the playbook or task) and `since` (UTC, ISO 8601). The file holds exactly this object; its
existence is the lock. It is in /run, so a reboot ends it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

Holder = dict[str, str]

FIELDS = ("id", "who", "what", "since")


def look(path: str) -> Holder | None:
    """Who holds the lock; None if nobody does. Raises OSError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        found = json.loads(text)
        return {field: str(found[field]) for field in FIELDS}
    except (ValueError, KeyError, TypeError):
        return dict.fromkeys(FIELDS, "unknown")


def take(path: str, holder: Holder, instead_of: str = "") -> Holder:
    """Take the lock if nobody holds it, or if the run `instead_of` does. Returns who holds it then. Raises OSError."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _alone(file.parent):
        present = look(path)
        if present is not None and not (instead_of and present["id"] == instead_of):
            return present
        descriptor, partial = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(holder) + "\n")
                os.fchmod(stream.fileno(), 0o644)
            os.replace(partial, file)
        except OSError:
            Path(partial).unlink(missing_ok=True)
            raise
        return holder


def release(path: str, run: str) -> None:
    """Release the lock if that run holds it. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), _alone(Path(path).parent):
        holder = look(path)
        if holder is not None and holder["id"] == run:
            Path(path).unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One at a time looks and then writes: otherwise two runs could replace the lock of the same dead run."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main(words: list[str]) -> int:
    """The program."""
    what, path, *more = words
    try:
        if what == "take":
            print(json.dumps({"holder": take(path, json.loads(more[0]), *more[1:2])}))
            return 0
        if what == "release":
            release(path, more[0])
        print(json.dumps({"holder": look(path)}))
    except OSError as error:
        print(f"{path}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
