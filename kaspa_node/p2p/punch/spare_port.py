"""Another port for a hole punch, if the listening port is blocked.

A router remembers the SYNs of a failed punch (Linux: for two minutes). It drops later SYNs between the same two
addresses and ports, because their sequence numbers don't match (nf_conntrack, SYN_SENT2). This happens if a program is
stopped during a punch, or if SYNs are lost. A kernel may also still hold the addresses of a connection that has ended.
A port that was never used has none of these problems.
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

# For the relay to report the mapping of the port: about four round trips.
OPEN_SECONDS = 3.0


@asynccontextmanager
async def spare_port(host: Host, relay: str) -> AsyncIterator[Vantage | None]:
    """A vantage with a fresh port, or None if the relay (a peer id) does not report its mapping in time.

    The connection to the relay stays while another connection uses the port. Until then the router keeps the mapping,
    and the relay can report it to others.
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
    existing = host.connections.to(relay, DIRECT)
    if existing is None:
        return None
    try:
        return await host.dialer.dial(SocketAddress.parse(existing.route.remote), relay, port=0)
    except P2PError:
        return None


async def _close_unused(host: Host, connection: Connection) -> None:
    """Other circuits may use it too: it stays as long as they do."""
    while others := [*host.connections.over(connection), *host.connections.beside(connection)]:
        await others[0].closed.wait()
    connection.close("nothing else uses its port any more")
