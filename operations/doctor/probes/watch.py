"""Runs on a relay, sent there as text: where connections come from that have sent certain numbers of bytes.

    python3 - '{"bytes": [97, 143], "listen": "203.0.113.10", "seconds": 5}' < watch.py

Prints one JSON line with the port of its own listener (null if none is wanted). When all connections are there, or the
time is over, it prints one line with the addresses that the kernel has for them. The kernel itself accepts connections
to the listener; nothing is read from them.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from typing import Any

LIST = ("ss", "-HtniO", "state", "established")
PAUSE = 0.1


def seen(text: str, counts: list[int]) -> dict[str, str]:
    """Number of bytes → address of the other end, by the output of LIST."""
    found = {}
    for line in text.splitlines():
        words, received = line.split(), re.search(r" bytes_received:([0-9]+)", line)
        if len(words) > 3 and received and int(received[1]) in counts:
            found[received[1]] = words[3]
    return found


def watch(counts: list[int], seconds: float) -> dict[str, str]:
    """All that come within the time."""
    deadline = time.monotonic() + seconds
    while True:
        listing = subprocess.run(LIST, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        found = seen(listing.stdout, counts)
        if len(found) == len(counts) or time.monotonic() > deadline:
            return found
        threading.Event().wait(PAUSE)


def main(wanted: dict[str, Any]) -> None:
    """Listen if that is wanted, and watch."""
    with contextlib.ExitStack() as stack:
        port = None
        if wanted["listen"] is not None:
            with contextlib.suppress(OSError):
                port = stack.enter_context(socket.create_server((wanted["listen"], 0), backlog=64)).getsockname()[1]
        print(json.dumps({"port": port}), flush=True)
        print(json.dumps({"seen": watch(wanted["bytes"], wanted["seconds"])}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
