"""Two parties and a relay, as tests of hole punches need them."""

from __future__ import annotations

from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.relay import circuit
from tests.integration.world import Party, World


async def relayed(
    w: World, *, first_punches: bool = True, second_punches: bool = True
) -> tuple[Party, Party, Connection]:
    """Two parties, and the first one's connection to the second through a relay."""
    relay = await w.relay()
    a = await w.party(1, relay, reserve=False, punches=first_punches)
    b = await w.party(2, relay, punches=second_punches)
    return a, b, await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)


async def punched(a: Party, connection: Connection) -> Connection:
    """The direct connection that the punch brings."""
    assert a.puncher is not None
    return await a.puncher.direct(connection)
