"""What a host does with several connections of one remote, over pipes in memory."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from kaspa_node.p2p.channel.connection import DOUBT_SECONDS, QUIET_SECONDS
from tests.integration.world import make_host
from tests.unit.p2p.pipes import connected, pipe_of

pytestmark = pytest.mark.trio


async def ignore(stream: object) -> None:
    """Read nothing."""
    await trio.sleep_forever()


async def test_a_new_connection_puts_the_older_ones_of_its_remote_to_the_proof(autojump_clock: MockClock) -> None:
    """A NAT that forgot a mapping tells one side only: the other one would take the dead connection for good."""
    host = make_host(1)
    lost, alive, new = connected(), connected(), connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        await host.running.wait()
        for ours, theirs in (lost, alive, new):
            nursery.start_soon(theirs.run, ignore)
            if ours is new[0]:
                pipe_of(lost[1]).frozen = True
            host.adopt(ours)
            await trio.sleep(1)
        await trio.sleep(DOUBT_SECONDS)
        assert DOUBT_SECONDS + 3 < QUIET_SECONDS
        assert lost[0].closed.is_set()
        assert lost[0].starved
        assert host.connections.of(new[0].remote) == [alive[0], new[0]]
        nursery.cancel_scope.cancel()
