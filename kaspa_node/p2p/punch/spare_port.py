"""Another port for a hole punch, where the one on which this host listens leads nowhere.

A router remembers the SYNs of a punch that came to nothing (Linux: for two minutes) and drops every later one between
the same two addresses and ports, whose sequence numbers don't fit what it has seen (nf_conntrack, SYN_SENT2). That
happens when a program is stopped in the middle of a punch, or when SYNs are lost. A kernel, too, may still hold the
addresses of a connection that has ended. Nobody has seen anything of a port that was never used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, Connection
from kaspa_node.p2p.errors import P2PError
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch.vantage import Vantage

# For the relay to tell where it sees the port: some four round trips.
OPEN_SECONDS = 3.0


@asynccontextmanager
async def spare_port(host: Host, relay: str) -> AsyncIterator[Vantage | None]:
    """A vantage that was never used, or None where the relay (a peer id) can't be asked in time where it sees it.

    The connection to the relay that shows the port's mapping stays for as long as another one from that port does: so
    long the router has something to map, and the relay can tell who asks where this peer comes from.
    """
    with trio.CancelScope(deadline=trio.current_time() + OPEN_SECONDS) as opening:
        connection = await _dial(host, relay)
    if opening.cancelled_caught or connection is None:
        yield None
        return
    try:
        with trio.move_on_at(opening.deadline):
            await connection.identified.wait()
        yield None if connection.mapping is None else Vantage.of(connection.mapping)
    finally:
        host.start_soon(_close_unused, host, connection)


async def _dial(host: Host, relay: str) -> Connection | None:
    standing = host.connections.to(relay, DIRECT)
    if standing is None:
        return None
    try:
        return await host.dialer.dial(SocketAddress.parse(standing.route.remote), relay, port=0)
    except P2PError:
        return None


async def _close_unused(host: Host, connection: Connection) -> None:
    """Others may have come through the relay on it, too: it stays as long as they do."""
    while others := [*host.connections.over(connection), *host.connections.beside(connection)]:
        await others[0].closed.wait()
    connection.close("nothing else uses its port any more")
