"""Runs on a host, sent there as text, as the owner of the key: replaces one key by another.

    python3 -I -c SOURCE look|begin|swap|end STATE_DIR [JSON]

A rotation records its progress in `rotation/` of the state directory, so that it can continue after an interruption at
any point: `record.json` has the old and the new peer id, `identity.key` is the new key until it is in use, `old.key` is
the old one until it is destroyed. At every moment the node has one complete key. Prints JSON; needs only the standard
library of Python 3.11.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

KEY = "identity.key"
CHUNK = 1 << 16


def sync(directory: Path) -> None:
    """Write the directory's entries to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def destroy(file: Path) -> None:
    """Overwrite a file's content and remove it; a link to a file that is still in use is only removed."""
    if file.exists():
        if file.stat().st_nlink == 1:
            with file.open("r+b") as stream:
                left = file.stat().st_size
                while left > 0:
                    left -= stream.write(os.urandom(min(left, CHUNK)))
                stream.flush()
                os.fsync(stream.fileno())
        file.unlink()


class Place:
    """The key of one state directory."""

    def __init__(self, state_dir: str) -> None:
        self.state = Path(state_dir)
        self.key = self.state / KEY
        self.rotation = self.state / "rotation"
        self.record = self.rotation / "record.json"
        self.next = self.rotation / KEY
        self.old = self.rotation / "old.key"

    def look(self) -> dict[str, Any]:
        """The state: whether there is a key, a new one and an old one, and the record of a rotation."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            record = None
        return {"key": self.key.is_file(), "next": self.next.exists(), "old": self.old.exists(), "record": record}

    def begin(self, record: dict[str, Any]) -> None:
        """Record this rotation; the new key exists already."""
        partial = self.record.with_suffix(".new")
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(self.record)
        sync(self.rotation)

    def swap(self) -> None:
        """Replace the key by the new one, in one step, and destroy the old one."""
        if self.next.exists():
            if self.key.exists() and not self.old.exists():
                os.link(self.key, self.old)
            sync(self.rotation)
            self.next.replace(self.key)
            sync(self.state)
        destroy(self.old)
        sync(self.rotation)

    def end(self) -> None:
        """Remove the record of the rotation, and destroy the keys in it."""
        if self.rotation.is_dir():
            for file in (self.old, self.next):
                destroy(file)
            shutil.rmtree(self.rotation)
            sync(self.state)


def main() -> None:
    """The program."""
    what, state_dir, *more = sys.argv[1:]
    os.umask(0o077)
    place = Place(state_dir)
    try:
        if what == "begin":
            place.begin(json.loads(more[0]))
        elif what == "swap":
            place.swap()
        elif what == "end":
            place.end()
        print(json.dumps(place.look()))
    except OSError as error:
        sys.exit(f"{error.filename or state_dir}: {(error.strerror or str(error)).lower()}")


if __name__ == "__main__":
    main()
