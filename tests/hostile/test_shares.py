"""What one peer, or one address, may hold: it fills its own share, and everybody else finds room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from kaspa_node import milestones
from kaspa_node.milestones import PEER, RELAY
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.errors import P2PError, RelayRefused
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.relay import circuit
from kaspa_node.p2p.relay import messages as wire
from tests.hostile.attacks import HOLDING
from tests.hostile.scene import ALLOWED, HONEST, STRANGER, VICTIM, scene
from tests.integration.programs import PATIENCE, Program, programs
from tests.integration.world import make_host
from tests.unit.p2p.parties import peer_id

EIGHT_ADDRESSES = [f"127.2.0.{number}" for number in range(1, 9)]


@pytest.mark.parametrize("name", HOLDING)
@pytest.mark.parametrize("role", [PEER, RELAY])
def test_strangers_of_many_addresses_do_not_fill_the_memory(role: str, name: str) -> None:
    with scene(role) as found:
        order = {"ips": EIGHT_ADDRESSES, "connections": 128, "rate": 64 << 20}
        outcome = found.attack(name, seconds=4.0, party=STRANGER, parties=128, **order)
        assert outcome.peak < outcome.memory_limit, outcome
        assert outcome.after < outcome.memory_given_back, outcome
        assert outcome.report["connections"] >= 128


def test_a_served_peer_holds_no_more_than_its_share_of_memory() -> None:
    with scene() as found:
        outcome = found.attack("filled_windows", seconds=4.0, party=ALLOWED, connections=40, rate=64 << 20)
        # Its windows: 256 streams of 256 KiB, and 64 MiB more.
        assert outcome.peak < outcome.idle + 64 + 64 + 32, outcome
        assert outcome.after < outcome.memory_given_back, outcome


@asynccontextmanager
async def caller(number: int) -> AsyncIterator[Host]:
    """A host of this process."""
    host = make_host(number, limits=Limits(connections_each=10_000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        await host.running.wait()
        yield host
        nursery.cancel_scope.cancel()


async def connections(host: Host, program: Program, count: int) -> list[Connection]:
    """As many connections to a program as it takes."""
    words = program.address().split("/")
    found = []
    for _ in range(count):
        with suppress(P2PError):
            found.append(await host.dialer.dial(SocketAddress(words[2], int(words[4])), program.peer_id, port=0))
    return found


@pytest.mark.trio
async def test_one_peer_takes_its_share_of_the_connections() -> None:
    with programs() as started:
        allow = ",".join(map(peer_id, (HONEST, ALLOWED)))
        victim = started.start("victim", RELAY, VICTIM, allow=allow)
        async with caller(ALLOWED) as attacker, caller(HONEST) as honest:
            (early,) = await connections(honest, victim, 1)
            with trio.fail_after(PATIENCE):
                held = await connections(attacker, victim, 100)
                for connection in held[: len(held) - 32]:
                    await connection.closed.wait()
            assert sum(not connection.closed.is_set() for connection in held) == 32
            (late,) = await connections(honest, victim, 1)
            assert min(await early.ping(), await late.ping()) > 0
            status = await trio.to_thread.run_sync(victim.status)
            assert len(status["connections"]) == 34


@pytest.mark.trio
async def test_one_peer_takes_its_share_of_a_destinations_circuits() -> None:
    with programs() as started:
        relay = started.start("relay", RELAY, VICTIM, allow=",".join(map(peer_id, (HONEST, ALLOWED, 4))))
        everybody = ",".join(map(peer_id, (HONEST, ALLOWED)))
        destination = started.start("destination", PEER, 4, relays=relay.address(), allow=everybody)
        destination.seen(milestones.RESERVATION_ACCEPTED)
        async with caller(ALLOWED) as attacker, caller(HONEST) as honest:
            (theirs,) = await connections(attacker, relay, 1)
            (ours,) = await connections(honest, relay, 1)
            with trio.fail_after(PATIENCE):
                held = [await circuit.dial(attacker, theirs, destination.peer_id) for _ in range(4)]
                for _ in range(10):
                    with pytest.raises(RelayRefused, match=wire.RESOURCE_LIMIT_EXCEEDED):
                        await circuit.dial(attacker, theirs, destination.peer_id)
                connection = await circuit.dial(honest, ours, destination.peer_id)
                assert await connection.ping() > 0
            assert not any(one.closed.is_set() for one in held)
