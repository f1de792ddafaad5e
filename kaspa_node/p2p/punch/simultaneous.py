"""The simultaneous dial of one attempt: from one port to every address, until one connection is up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from kaspa_node import reasons
from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.errors import DialError, HandshakeTimeout, P2PError, PunchFailed
from kaspa_node.p2p.expectations import Expectation
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch.exchange import CLIENT, Dial
from kaspa_node.reasons import Reason

# Two retransmissions of a lost SYN fall into it (the kernel repeats after one second, then two).
WINDOW_SECONDS = 3.5
# A handshake takes two round trips at most; the rest is for packets that are lost.
HANDSHAKE_SECONDS = 3.0
# A router that answers an unsolicited SYN with RST ends the dial at once; our own mapping stays open, so try again.
FIRST_GAP, LONGEST_GAP = 0.02, 0.1


@contextmanager
def expect(host: Host, peer: str, targets: Sequence[SocketAddress], role: str) -> Iterator[list[Expectation]]:
    """Inside the block the listener expects the dial of `peer` from any of `targets`; role: of this side."""
    expected = [
        host.expectations.add(target, peer, opens=role == CLIENT, seconds=HANDSHAKE_SECONDS) for target in targets
    ]
    try:
        yield expected
    finally:
        for each in expected:
            host.expectations.remove(each)


@dataclass(slots=True)
class _Dialing:
    """The dial of one attempt. problems: what each target answered last. silent: TCP connected, and nothing came."""

    host: Host
    peer: str
    opens: bool
    port: int | None
    segment: int | None
    problems: dict[SocketAddress, str] = field(default_factory=dict)
    silent: bool = False
    direct: Connection | None = None


async def dial(
    host: Host,
    peer: str,
    plan: Dial,
    expected: Sequence[Expectation] = (),
    *,
    port: int | None = None,
    small: bool = False,
) -> Connection:
    """A direct connection to `peer` within the window, from the listening port, or from `port`.

    expected: what the listener knows of the same targets. small: with TCP segments that fit through every path.
    A connection that comes in meanwhile ends this only by cancellation. Raises PunchFailed.
    """
    if not plan.targets:
        raise PunchFailed(Reason(reasons.NO_ADDRESSES))
    dialing = _Dialing(host, peer, plan.role == CLIENT, port, tcp.SMALL_SEGMENT if small else None)
    with trio.move_on_after(WINDOW_SECONDS):
        async with trio.open_nursery() as nursery:
            for target in plan.targets:
                nursery.start_soon(_keep_dialing, dialing, target, nursery.cancel_scope)
    if dialing.direct is not None:
        return dialing.direct
    for each in expected:
        await each.settled()
        if each.problem:
            dialing.problems[each.address] = "no handshake" if each.silent else each.problem
    answers = "; ".join(f"{target}: {dialing.problems.get(target, 'no answer')}" for target in plan.targets)
    if dialing.silent or any(each.silent for each in expected):
        raise PunchFailed(Reason(reasons.HANDSHAKE_TIMEOUT, seconds=HANDSHAKE_SECONDS, answers=answers))
    raise PunchFailed(Reason(reasons.NO_ANSWER, seconds=WINDOW_SECONDS, answers=answers))


async def _keep_dialing(dialing: _Dialing, target: SocketAddress, all_dials: trio.CancelScope) -> None:
    host, gap = dialing.host, FIRST_GAP
    while True:
        try:
            sock = await tcp.connect(target, host.dialer.local_for(target, dialing.port), segment=dialing.segment)
        except DialError as error:
            dialing.problems[target] = error.problem
        else:
            start = trio.current_time()
            # The remote may have chosen this very connection: once TCP is connected, the end of the window does not
            # interrupt the upgrade.
            with trio.CancelScope(shield=True):
                try:
                    connection = await host.dialer.meet(
                        sock, dialing.peer, opens=dialing.opens, seconds=HANDSHAKE_SECONDS
                    )
                except P2PError as error:
                    timeout = isinstance(error, HandshakeTimeout)
                    dialing.problems[target] = "no handshake" if timeout else f"connected, and then {error.problem}"
                    # The remote's own time may have been over a moment earlier.
                    late = trio.current_time() - start > HANDSHAKE_SECONDS / 2
                    if timeout or late:
                        dialing.silent = True
                        return
                else:
                    if connection.remote == dialing.peer:
                        dialing.direct = connection
                        all_dials.cancel()
                    return
        await trio.sleep(gap)
        gap = min(gap * 2, LONGEST_GAP)
