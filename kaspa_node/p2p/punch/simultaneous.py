"""The simultaneous dial of one attempt: from one port to every address, until one connection stands."""

from __future__ import annotations

import trio

from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, OUTGOING, Connection
from kaspa_node.p2p.errors import DialError, P2PError
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch.exchange import CLIENT, Dial

# Two retransmissions of a lost SYN fall into it (the kernel repeats after one second, then two).
WINDOW_SECONDS = 3.5
# A handshake takes two round trips at most; the rest is for packets that are lost.
HANDSHAKE_SECONDS = 3.0
# A router that answers an unsolicited SYN with RST ends the dial at once; our own mapping stays open, so try again.
FIRST_GAP, LONGEST_GAP = 0.02, 0.1


async def dial(host: Host, peer: str, plan: Dial, port: int | None = None) -> Connection:
    """A direct connection to `peer` within the window, from the listening port, or from `port`.

    Raises DialError with what each address answered.
    """
    if not plan.targets:
        raise DialError("the remote named no address that can be dialed")
    standing = host.connections.to(peer, DIRECT)
    if standing is not None:
        return standing
    problems: dict[SocketAddress, str] = {}
    up = trio.Event()

    def observe(connection: Connection) -> None:
        if connection.remote == peer and connection.route.path == DIRECT:
            up.set()

    initiator = plan.role == CLIENT
    host.connections.up.append(observe)
    try:
        with trio.move_on_after(WINDOW_SECONDS):
            async with trio.open_nursery() as nursery:
                for target in plan.targets:
                    nursery.start_soon(_keep_dialing, host, peer, target, port, initiator, problems)
                await up.wait()
                nursery.cancel_scope.cancel()
    finally:
        host.connections.up.remove(observe)
    connection = host.connections.to(peer, DIRECT)
    if connection is None:
        answers = "; ".join(f"{target}: {problems.get(target, 'no answer')}" for target in plan.targets)
        raise DialError(f"timeout after {WINDOW_SECONDS:.0f} s ({answers})")
    return connection


async def _keep_dialing(
    host: Host,
    peer: str,
    target: SocketAddress,
    port: int | None,
    initiator: bool,
    problems: dict[SocketAddress, str],
) -> None:
    gap = FIRST_GAP
    while True:
        try:
            sock = await tcp.connect(target, host.dialer.local_for(target, port))
            # The remote may have chosen this very connection: once TCP stands, the end of the window does not interrupt
            # the upgrade. Nor may one that has chosen another and says nothing hold up the attempt.
            deadline = trio.current_time() + HANDSHAKE_SECONDS
            with trio.CancelScope(shield=True, deadline=deadline) as handshake:
                await host.dialer.secure(sock, peer, initiator=initiator, direction=OUTGOING if initiator else INCOMING)
            if not handshake.cancelled_caught:
                return
            problems[target] = f"connected, and no handshake within {HANDSHAKE_SECONDS:.0f} s"
        except P2PError as error:
            problems[target] = error.problem
        await trio.sleep(gap)
        gap = min(gap * 2, LONGEST_GAP)
