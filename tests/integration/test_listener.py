"""Connections that come in while hole punches go on, and those that come to nothing."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress

import pytest
import trio

from kaspa_node import milestones, reasons
from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits
from kaspa_node.p2p.channel.connection import INCOMING, OUTGOING
from kaspa_node.p2p.errors import P2PError, PunchFailed
from kaspa_node.p2p.expectations import Expectation
from kaspa_node.p2p.failed_upgrades import FailedUpgrades
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch import exchange, simultaneous
from kaspa_node.p2p.punch.exchange import CLIENT, SERVER
from tests.integration.rude import end_of, raw
from tests.integration.world import WatchedJournal, say, standing, until, world
from tests.unit.p2p.parties import peer_id

pytestmark = pytest.mark.trio


def expect(host: Host, address: SocketAddress, peer: str, *, opens: bool) -> Expectation:
    """Have `host` expect `peer` from `address`."""
    return host.expectations.add(address, peer, opens=opens, seconds=3.0)


# Who connects is seen in the handshake


@pytest.mark.parametrize("opens", [True, False])
async def test_who_names_anothers_address_as_its_own_does_not_spoil_the_others_dial(opens: bool) -> None:
    async with world() as w:
        b, honest = await w.host(2), await w.host(3)
        expect(b, honest.listener.addresses[0], peer_id(1), opens=opens)
        connection = await honest.dialer.dial(b.listener.addresses[0], b.peer_id)
        theirs = await standing(b, honest.peer_id)
        assert (theirs.id, theirs.route.direction) == (connection.id, INCOMING)
        assert await say(honest, b.peer_id, b"hello") == b"hello"


async def test_two_that_are_expected_at_one_address_may_both_turn_up() -> None:
    """Neither speaks first: this side opens the handshake, and learns from it who is there."""
    async with world() as w:
        b, honest = await w.host(2), await w.host(3)
        address = honest.listener.addresses[0]
        for peer in (peer_id(1), honest.peer_id):
            expect(b, address, peer, opens=True)
        plan = exchange.Dial(trio.current_time(), SERVER, (b.listener.addresses[0],), 0.0)
        direct = await simultaneous.dial(honest, b.peer_id, plan)
        theirs = await standing(b, honest.peer_id)
        assert (theirs.id, theirs.route.direction) == (direct.id, OUTGOING)


@pytest.mark.parametrize("expected", [(1,), (1, 4)], ids=["one is expected", "two are expected"])
async def test_one_that_is_not_expected_is_nobody_there(expected: tuple[int, ...]) -> None:
    failures: list[P2PError | str] = []
    async with world() as w:
        b, other = await w.host(2), await w.host(3)
        b.listener.failed.append(lambda remote, why: failures.append(why))
        [expectation, *_] = [expect(b, other.listener.addresses[0], peer_id(n), opens=True) for n in expected]
        plan = exchange.Dial(trio.current_time(), SERVER, (b.listener.addresses[0],), 0.0)
        with suppress(PunchFailed):
            await simultaneous.dial(other, b.peer_id, plan)
        await until(lambda: failures)
        assert "answered" in str(failures[0])
        assert "answered" in expectation.problem
        assert other.peer_id not in b.connections


async def test_our_own_dial_may_meet_another_peer_that_is_expected_there() -> None:
    async with world() as w:
        b, honest = await w.host(2), await w.host(3)
        address = honest.listener.addresses[0]
        expect(b, address, honest.peer_id, opens=True)
        plan = exchange.Dial(trio.current_time(), CLIENT, (address,), 0.0)
        with pytest.raises(PunchFailed):
            await simultaneous.dial(b, peer_id(1), plan)
        assert await say(b, honest.peer_id, b"hello") == b"hello"


async def test_connections_get_small_segments_as_long_as_an_attempt_wants_them() -> None:
    async with world() as w:
        b = await w.host(2)
        sizes = []
        for small in (True, False):
            with b.listener.small_segments() if small else nullcontext():
                stream = await raw(b)
            sizes.append(stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
            await stream.aclose()
        assert sizes[0] <= tcp.SMALL_SEGMENT < sizes[1]


# What comes to nothing is counted


async def reset(host: Host) -> None:
    """Connect and hang up at once."""
    with socket.create_connection(host.listener.addresses[0]) as sock:
        sock.send(b"\x13/multistream/1.0.0\n")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def hang_up(host: Host) -> None:
    """Connect and hang up without a word, as a test of the port does."""
    await (await raw(host)).aclose()


async def say_tls(host: Host) -> None:
    """Speak another protocol from the start."""
    stream = await raw(host)
    await stream.send_all(b"\x16\x03\x01\x02\x00" + bytes(64))
    await end_of(stream)


async def say_nothing(host: Host) -> None:
    """Connect, and leave it at that."""
    await end_of(await raw(host))


@pytest.mark.parametrize(
    ("rude", "code"),
    [
        (reset, reasons.HUNG_UP),
        (hang_up, reasons.PORT_TESTED),
        (say_tls, reasons.BAD_HANDSHAKE),
        (say_nothing, reasons.HANDSHAKE_TIMEOUT),
    ],
)
async def test_a_connection_that_is_not_set_up_is_counted_by_its_reason(
    rude: Callable[[Host], Awaitable[None]], code: str
) -> None:
    journal = WatchedJournal()
    failed = FailedUpgrades(journal)
    async with world() as w:
        b = await w.host(2, limits=Limits(upgrade=0.1))
        b.listener.failed.append(failed)
        await rude(b)
        assert (await journal.seen(milestones.UPGRADE_FAILED))["code"] == code
        assert failed.counts == {code: 1}


async def test_one_for_which_there_is_no_place_is_counted_too() -> None:
    failed = FailedUpgrades(WatchedJournal())
    async with world() as w:
        b = await w.host(2, limits=Limits(handshakes=1))
        b.listener.failed.append(failed)
        first, second = await raw(b), await raw(b)
        await end_of(first)
        assert failed.counts == {reasons.DISPLACED: 1}
        await second.aclose()
        await until(lambda: failed.counts[reasons.PORT_TESTED])
        full = await w.host(3, limits=Limits(connections=0))
        full.listener.failed.append(failed)
        with socket.socket() as caller:
            caller.setblocking(False)
            caller.connect_ex(full.listener.addresses[0])
            await until(lambda: failed.counts[reasons.NO_PLACE])


async def test_a_relays_status_has_the_counts() -> None:
    async with world() as w:
        relay = await w.relay()
        await say_tls(relay.host)
        await until(lambda: relay.failed_upgrades.total)
        status = relay.status()
        assert status["failed_upgrades"] == {reasons.BAD_HANDSHAKE: 1}
        assert status["counters"]["failed_upgrades"] == 1
