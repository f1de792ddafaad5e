"""An honest peer, as a process: connects once, and asks for a sign of life without end.

    python -m tests.hostile.honest <ip> <port> <peer id> <party>

Each line on standard input is answered with one line of JSON: how many pings there were since the last one, and the
95th percentile of their round trips in milliseconds. One that waits counts with the time that it has waited.
"""

from __future__ import annotations

import json
import os
import sys

import trio

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.host import PING_BYTES, PING_PROTOCOL, Host
from tests.integration.world import make_host

INTERVAL = 0.02


class Pings:
    """Pings over one stream."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._asked: float | None = None

    async def run(self, host: Host, connection: Connection, over: trio.Event) -> None:
        """Ping until it is over. Raises P2PError."""
        stream = await host.protocols.open(connection, [PING_PROTOCOL])
        while not over.is_set():
            self._asked = trio.current_time()
            await stream.write(os.urandom(PING_BYTES))
            await stream.read_exactly(PING_BYTES)
            self._seconds.append(trio.current_time() - self._asked)
            self._asked = None
            with trio.move_on_after(INTERVAL):
                await over.wait()

    def summary(self) -> dict[str, float]:
        """The pings since the last summary."""
        seconds, self._seconds = sorted(self._seconds), []
        if self._asked is not None:
            seconds.append(trio.current_time() - self._asked)
            seconds.sort()
        if not seconds:
            return {"count": 0, "p50": 0.0, "p95": 0.0, "most": 0.0}
        at = {"p50": 0.5, "p95": 0.95, "most": 1.0}
        return {"count": len(seconds)} | {
            name: round(seconds[min(len(seconds) - 1, int(len(seconds) * part))] * 1000, 3) for name, part in at.items()
        }


async def run(target: SocketAddress, peer: str, party: int) -> None:
    """Ping `peer` until standard input ends."""
    host, pings, over = make_host(party), Pings(), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        await host.running.wait()
        connection = await host.dialer.dial(target, peer)
        nursery.start_soon(pings.run, host, connection, over)
        async for request in trio.lowlevel.FdStream(os.dup(0)):
            for _ in range(request.count(b"\n")):
                print(json.dumps(pings.summary()), flush=True)
        over.set()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(run, SocketAddress(sys.argv[1], int(sys.argv[2])), sys.argv[3], int(sys.argv[4]))
