"""Dialing a relay: every address of its name in order, and what each of them answered."""

from __future__ import annotations

from collections.abc import Sequence

from kaspa_node.journal import Journal
from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.errors import DialError, P2PError, PortBusy, ProtocolError, WrongPeer
from kaspa_node.p2p.host import Host
from kaspa_node.settings.values import RelayAddress

Tried = tuple[SocketAddress, P2PError]


async def dial(host: Host, relay: RelayAddress, journal: Journal, *, any_port: bool) -> tuple[Connection, bool]:
    """A connection to the relay, and whether it comes from another port than the listening one.

    any_port: take another port for an address that can't be dialed from the listening port. A name is looked up at each
    call. Raises DialError with what each address answered.
    """
    tried: list[Tried] = []
    for address in await tcp.resolve(relay.host, relay.port, relay.family):
        try:
            return await _dial_one(host, relay, address, journal, any_port=any_port)
        except P2PError as error:
            tried.append((address, error))
    raise failure(relay, tried)


async def _dial_one(
    host: Host, relay: RelayAddress, address: SocketAddress, journal: Journal, *, any_port: bool
) -> tuple[Connection, bool]:
    try:
        return await host.dialer.dial(address, relay.peer_id), False
    except PortBusy as error:
        if not any_port:
            raise
        # The old 4-tuple may linger after a restart; an ephemeral port keeps the reservation, not the mapping.
        journal.info("Relay %s can't be dialed from the listening port (%s): another port is used", address, error)
    return await host.dialer.dial(address, relay.peer_id, port=0), True


def failure(relay: RelayAddress, tried: Sequence[Tried]) -> DialError:
    """Why none of the addresses that were tried led to the relay, and what to do, in one sentence."""
    several = len(tried) > 1
    text = "; ".join(_answer(address, error, several=several) for address, error in tried)
    errors = [error for _, error in tried]
    named = not relay.family.startswith("ip")
    if named and (several or not isinstance(errors[0], ProtocolError)):
        text = f"{relay.host}:{relay.port}: {text}"
    if any(isinstance(error, WrongPeer) for error in errors):
        text += f"; correct the peer id of {relay.addr} in `relays`"
    elif any(isinstance(error, ProtocolError) for error in errors):
        text += f"; correct the address of {relay.addr} in `relays`"
    return DialError(text)


def _answer(address: SocketAddress, error: P2PError, *, several: bool) -> str:
    if isinstance(error, WrongPeer):
        return f"{address}: {error.problem}" if several else error.problem
    if isinstance(error, ProtocolError):
        return f"what answers at {address} is no libp2p relay: {error.problem}"
    return f"{address}: {error.problem}"
