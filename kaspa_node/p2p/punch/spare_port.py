"""Another port for a hole punch, where the one on which this host listens leads nowhere.

A router remembers the SYNs of a punch that came to nothing (Linux: for two minutes) and drops every later one between
the same two addresses and ports, whose sequence numbers don't fit what it has seen (nf_conntrack, SYN_SENT2). That
happens when a program is stopped in the middle of a punch, or when SYNs are lost. A kernel, too, may still hold the
addresses of a connection that has ended. Nobody has seen anything of a port that was never used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, Connection
from kaspa_node.p2p.errors import P2PError
from kaspa_node.p2p.host import Host

# For the relay to tell where it sees the port: some four round trips.
OPEN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class SparePort:
    """A local port, and where the relay sees it."""

    port: int
    observed: SocketAddress


@asynccontextmanager
async def spare_port(host: Host, relay: str) -> AsyncIterator[SparePort | None]:
    """A port that was never used, or None where the relay (a peer id) can't be reached from it in time.

    The connection to the relay that shows the port's mapping stays for as long as another one from that port does: so
    long the router has something to map, and the relay can tell who asks where this peer comes from.
    """
    connection = await _another_connection(host, relay)
    try:
        if connection is None or connection.observed is None:
            yield None
        else:
            yield SparePort(_port(connection), connection.observed)
    finally:
        if connection is not None:
            host.start_soon(_close_unused, host, connection)


async def _another_connection(host: Host, relay: str) -> Connection | None:
    standing = host.connection_to(relay, DIRECT)
    if standing is None:
        return None
    connection: Connection | None = None
    try:
        with trio.move_on_after(OPEN_SECONDS):
            connection = await host.dial(SocketAddress.parse(standing.route.remote), relay, port=0)
            await connection.identified.wait()
    except P2PError:
        return None
    return connection


async def _close_unused(host: Host, connection: Connection) -> None:
    """Others may have come through the relay on it, too: it stays as long as they do."""
    while others := [*host.circuits_over(connection), *_beside(host, connection)]:
        await others[0].closed.wait()
    connection.close("nothing else uses its port any more")


def _beside(host: Host, connection: Connection) -> list[Connection]:
    """The other standing direct connections from the same port."""
    direct = [c for c in host.all_connections() if c.route.path == DIRECT and not c.closed.is_set()]
    return [c for c in direct if c is not connection and _port(c) == _port(connection)]


def _port(connection: Connection) -> int:
    return SocketAddress.parse(connection.route.local).port
