"""A capture on the controller: files that only their owner reads, and an index that names what is in them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kaspa_node.evidence.endpoints import Endpoint
from operations.capture import store
from operations.capture.pcap import Capture
from operations.capture.plan import End, Place, Session

ONE, OTHER = Endpoint("203.0.113.20", 4012), Endpoint("203.0.113.30", 4012)
SESSION = Session(
    "17e91c4eafa0b340.1", "direct", (End("client", ONE, OTHER, ONE, 1.0), End("server", OTHER, ONE, OTHER, 1.0))
)
TAKEN = store.Taken(
    Place("nat-client", True, "wan", "tcp and (host 203.0.113.20)"),
    Capture(b"packets", 3, {(OTHER, ONE): 1, (ONE, OTHER): 2}),
    dropped=0,
    full=False,
)


def test_what_is_written(tmp_path: Path) -> None:
    directory = store.write(tmp_path / "captures", SESSION, 1795420053.2, [TAKEN], {"seconds": 10.0})
    assert directory == tmp_path / "captures" / "20261123T074733Z-17e91c4eafa0b340.1"
    assert (directory / "nat-client.pcap").read_bytes() == b"packets"
    assert json.loads((directory / "index.json").read_text()) == {
        "session": "17e91c4eafa0b340.1",
        "path": "direct",
        "hosts": ["client", "server"],
        "started": 1795420053.2,
        "seconds": 10.0,
        "places": [
            {
                "host": "nat-client",
                "kind": "router",
                "interface": "wan",
                "filter": "tcp and (host 203.0.113.20)",
                "file": "nat-client.pcap",
                "packets": 3,
                "dropped": 0,
                "full": False,
                "bytes": 7,
                "sha256": hashlib.sha256(b"packets").hexdigest(),
                "flows": [
                    {"from": "203.0.113.20:4012", "to": "203.0.113.30:4012", "packets": 2},
                    {"from": "203.0.113.30:4012", "to": "203.0.113.20:4012", "packets": 1},
                ],
            }
        ],
    }


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    directory = store.write(tmp_path / "captures", SESSION, 0.0, [TAKEN], {})
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
