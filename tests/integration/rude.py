"""Callers without manners, for hosts over loopback."""

from __future__ import annotations

import trio

from kaspa_node.p2p.channel.upgrade import Upgrade
from kaspa_node.p2p.host import Host
from tests.unit.p2p.parties import keys


async def raw(host: Host) -> trio.SocketStream:
    """A TCP connection to a host, on which nothing is said yet."""
    return await trio.open_tcp_stream(host.listener.addresses[0].ip, host.listener.addresses[0].port)


async def upgraded(host: Host) -> tuple[trio.SocketStream, Upgrade]:
    """A secured connection of party 5, whose program ends with the handshake."""
    stream, upgrade = await raw(host), Upgrade(keys(5), initiator=True, expected=host.peer_id)
    await stream.send_all(upgrade.opening())
    while not upgrade.done:
        await stream.send_all(upgrade.receive(await stream.receive_some()))
    return stream, upgrade


async def pour(stream: trio.SocketStream, data: bytes) -> None:
    """Send everything and then the end, as far as the host takes it."""
    try:
        await stream.send_all(data)
        await stream.send_eof()
    except trio.BrokenResourceError:
        return


async def end_of(stream: trio.SocketStream) -> None:
    """Wait until the host hangs up."""
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        return
