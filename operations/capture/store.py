"""A capture on the controller: a file for each place, and an index. Only the owner can read them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.capture.pcap import Capture
from operations.capture.plan import Place, Session

INDEX = "index.json"


@dataclass(frozen=True)
class Taken:
    """The result of one place. dropped: packets without room in the kernel. full: it ended at the limit of bytes."""

    place: Place
    capture: Capture
    dropped: int
    full: bool

    @property
    def file(self) -> str:
        """Its name in the capture's directory."""
        return f"{self.place.name}.pcap"

    def entry(self) -> dict[str, Any]:
        """Its part of the index."""
        flows = sorted(self.capture.flows.items())
        return {
            "host": self.place.name,
            "kind": "router" if self.place.router else "host",
            "interface": self.place.interface,
            "filter": self.place.filter,
            "file": self.file,
            "packets": self.capture.packets,
            "dropped": self.dropped,
            "full": self.full,
            "bytes": len(self.capture.content),
            "sha256": hashlib.sha256(self.capture.content).hexdigest(),
            "flows": [{"from": str(one), "to": str(other), "packets": count} for (one, other), count in flows],
        }


def write(captures: Path, session: Session, started: float, taken: Iterable[Taken], limits: Mapping[str, Any]) -> Path:
    """Write it below `captures` and return its directory. started: unix time. Raises OSError."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(started))
    directory = captures / f"{moment}-{session.id}"
    directory.mkdir(parents=True, mode=0o700)
    entries = []
    for each in taken:
        _write(directory / each.file, each.capture.content)
        entries.append(each.entry())
    index = {"session": session.id, "path": session.path, "hosts": session.hosts, "started": started, **limits}
    _write(directory / INDEX, (json.dumps(index | {"places": entries}, indent=2) + "\n").encode())
    return directory


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
