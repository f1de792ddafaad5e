"""Runs on a peer, sent there as text: a connection from the node's listening port to a further port of a relay.

    python3 - '{"addresses": ["203.0.113.10:22"], "host": "0.0.0.0", "port": 4012, "pid": 123, …}' < knock.py

The relay sees where the connection comes from, and recognizes it by its number of bytes. The connection is kept until
this program ends. The node's port is shared with SO_REUSEPORT, which requires the same user.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from typing import Any

GREETING = b"SSH-2.0-kaspa-doctor"


def become_owner_of(pid: int) -> None:
    """Become the user of a process, if this is root."""
    found = os.stat(f"/proc/{pid}")
    if os.geteuid() == 0 and found.st_uid != 0:
        os.setgroups([])
        os.setresgid(found.st_gid, found.st_gid, found.st_gid)
        os.setresuid(found.st_uid, found.st_uid, found.st_uid)


def connect(address: str, host: str, port: int, seconds: float) -> socket.socket:
    """A connection from that local port. Raises OSError."""
    remote, _, remote_port = address.rpartition(":")
    family = socket.AF_INET6 if remote.startswith("[") else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # It ends with a reset, because TIME_WAIT would prevent the same connection from being made again.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.settimeout(seconds)
        sock.bind((host, port))
        sock.connect((remote.strip("[]"), int(remote_port)))
    except OSError:
        sock.close()
        raise
    return sock


def main(wanted: dict[str, Any]) -> int:
    """Connect to the first address that accepts, print it, send, and wait until this program is ended."""
    try:
        become_owner_of(wanted["pid"])
    except OSError as error:
        print(json.dumps({"problem": str(error)}), flush=True)
        return 1
    problems = []
    for address in wanted["addresses"]:
        try:
            sock = connect(address, wanted["host"], wanted["port"], wanted["seconds"])
        except OSError as error:
            problems.append(f"{address}: {error.strerror or error}")
            continue
        with sock:
            sock.sendall(GREETING.ljust(wanted["bytes"], b"."))
            print(json.dumps({"address": address}), flush=True)
            # Until the other end disconnects, in case nobody ends this program.
            sock.settimeout(wanted["hold"])
            try:
                while sock.recv(4096):
                    pass
            except OSError:
                pass
        return 0
    print(json.dumps({"problem": "; ".join(problems) or "no address to try"}), flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
