"""A node's Kaspa side in a process of its own, which says how it is: `python -m tests.integration.kaspa_victim SOCKET`.

Each line on its standard input is answered by one line of JSON: what happened since the line before.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import count
from pathlib import Path

import trio

from kaspa_node.journal import Journal
from kaspa_node.kaspa import synthetic
from kaspa_node.kaspa.config import KaspaConfig, Transport
from kaspa_node.kaspa.service import KaspaService

BEAT = 0.005
"""Seconds between two looks at the clock."""


class Pulse:
    """How late the loop was, at worst."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def run(self) -> None:
        while True:
            due = trio.current_time() + BEAT
            await trio.sleep_until(due)
            self.worst = max(self.worst, trio.current_time() - due)


def memory(field: str) -> int:
    """Bytes: VmRSS is what is resident now, VmHWM the most that ever was."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0]) * 1024
    raise KeyError(field)


def processor_seconds() -> float:
    """What this process has used."""
    times = os.times()
    return times.user + times.system


async def answer(service: KaspaService, pulse: Pulse) -> None:
    """Answer lines until there are no more."""
    lines = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
    async for _ in lines:
        report = {
            "resident": memory("VmRSS"),
            "peak": memory("VmHWM"),
            "stall": pulse.worst,
            "threads": len(os.listdir("/proc/self/task")),
            "sessions": len(service.sessions),
            "cpu": processor_seconds(),
        }
        pulse.worst = 0.0
        print(json.dumps(report), flush=True)


async def main(socket: str) -> None:
    """Take every caller for another peer."""
    numbers = count(1)
    pulse = Pulse()
    service = KaspaService(KaspaConfig(), Journal())

    def admit(caller: str) -> Transport:
        number = next(numbers)
        address = synthetic.socket_address(f"peer-{number}", "direct")
        return Transport(f"victim.{number}", f"peer-{number}", "direct", "incoming", address)

    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        await nursery.start(service.serve, socket, admit)
        nursery.start_soon(pulse.run)
        await answer(service, pulse)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
