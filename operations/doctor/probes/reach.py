"""Runs on a host, sent there as text: which TCP addresses and unix sockets accept a connection from there, as JSON.

python3 - '{"addresses": ["203.0.113.10:4011", "unix:/run/kaspad.sock"], "seconds": 3}' < reach.py
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from typing import Any


def outcome(address: str, seconds: float) -> str:
    """`open`, `refused`, `timeout`, or the system's message."""
    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as local:
                local.settimeout(seconds)
                local.connect(address.removeprefix("unix:"))
        else:
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), timeout=seconds).close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return str(error.strerror or error).lower()
    return "open"


def try_all(addresses: list[str], seconds: float) -> dict[str, str]:
    """The outcome of each, all tried at once."""
    outcomes: dict[str, str] = {}

    def note(address: str) -> None:
        outcomes[address] = outcome(address, seconds)

    threads = [threading.Thread(target=note, args=(address,)) for address in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def main(wanted: dict[str, Any]) -> None:
    """Print the outcomes."""
    json.dump(try_all(wanted["addresses"], wanted["seconds"]), sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
