"""Our host and py-libp2p 0.8.1 as it comes: they understand each other, both ways, and over each other's relay."""

from __future__ import annotations

import os

import pytest
import trio
from libp2p.host.ping import ID as PING_ID
from libp2p.host.ping import PingService
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from kaspa_node.p2p.channel.connection import RELAYED
from kaspa_node.p2p.errors import NegotiationError, NoReservation, WrongPeer
from kaspa_node.p2p.host import PING_PROTOCOL
from kaspa_node.p2p.relay import circuit
from tests.integration.world import ECHO, Party, say, standing, until, world
from tests.interop.stock import Stock, reserve, stock, stock_client, stock_relay
from tests.unit.p2p.parties import peer_id

pytestmark = [pytest.mark.trio, pytest.mark.interop]

OURS, OTHER, STOCK, STOCK_RELAY = 1, 2, 21, 22
SIZES = [1, 1 << 20]


def our_party(number: int, relay: Stock, *, reserve_there: bool) -> Party:
    """A peer of ours at a stock relay, not running yet."""
    return Party(number, (relay,), reserve=reserve_there, punches=False, permits=lambda peer: True)


# Directly


@pytest.mark.parametrize("size", SIZES)
async def test_ours_dials_and_both_open_streams(size: int) -> None:
    data = os.urandom(size)
    async with stock(STOCK) as other, world() as w:
        ours = await w.host(OURS)
        connection = await ours.dialer.dial(other.at, other.peer_id)
        assert connection.remote == other.peer_id == peer_id(STOCK)
        assert await say(ours, other.peer_id, data) == data
        assert await other.say(ours.peer_id, data) == data


@pytest.mark.parametrize("size", SIZES)
async def test_stock_dials_and_both_open_streams(size: int) -> None:
    data = os.urandom(size)
    async with stock(STOCK) as other, world() as w:
        ours = await w.host(OURS)
        await other.connect(ours.listener.addresses[0], ours.peer_id)
        assert await other.say(ours.peer_id, data) == data
        assert await say(ours, other.peer_id, data) == data


async def test_many_streams_at_once() -> None:
    data = os.urandom(100_000)
    echoed: list[bool] = []
    async with stock(STOCK) as other, world() as w:
        ours = await w.host(OURS)
        await ours.dialer.dial(other.at, other.peer_id)

        async def one() -> None:
            echoed.append(await say(ours, other.peer_id, data) == data)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(one)
    assert echoed == [True] * 10


async def test_each_identifies_the_other() -> None:
    async with stock(STOCK) as other, world() as w:
        ours = await w.host(OURS)
        connection = await ours.dialer.dial(other.at, other.peer_id)
        await connection.identified.wait()
        about = ours.known[other.peer_id]
        assert {ECHO, PING_PROTOCOL} <= about.protocols
        assert about.observed == ours.listener.addresses[0]
        peerstore, us = other.host.get_peerstore(), ID.from_string(ours.peer_id)

        def known_there() -> bool:
            return us in peerstore.peer_ids() and ECHO in peerstore.get_protocols(us)

        await until(known_there)


async def test_each_answers_the_others_ping() -> None:
    async with stock(STOCK) as other, world() as w:
        ours = await w.host(OURS)
        connection = await ours.dialer.dial(other.at, other.peer_id)
        stream = await ours.protocols.open(connection, [PING_PROTOCOL])
        for _ in range(3):
            sent = os.urandom(32)
            await stream.write(sent)
            assert await stream.read_exactly(32) == sent
        assert PING_ID == PING_PROTOCOL
        assert len(await PingService(other.host).ping(ID.from_string(ours.peer_id), ping_amt=3)) == 3


async def test_an_unknown_protocol_is_refused_and_the_connection_lives() -> None:
    async with stock(STOCK) as other, world() as w:
        ours = await w.host(OURS)
        connection = await ours.dialer.dial(other.at, other.peer_id)
        stream = await ours.protocols.open(connection, ["/test/unknown"])
        await stream.write(b"hello?")
        with pytest.raises(NegotiationError):
            await stream.read()
        assert await say(ours, other.peer_id, b"still here") == b"still here"


async def test_of_two_protocols_the_one_that_stock_speaks_is_chosen() -> None:
    async with stock(STOCK) as other, world() as w:
        ours = await w.host(OURS)
        connection = await ours.dialer.dial(other.at, other.peer_id)
        stream = await ours.protocols.open(connection, ["/test/unknown", ECHO])
        await stream.write(b"hi")
        assert await stream.read_exactly(2) == b"hi"
        assert stream.protocol == ECHO


async def test_stock_under_another_name_is_not_taken() -> None:
    async with stock(STOCK) as other, world() as w:
        ours = await w.host(OURS)
        with pytest.raises(WrongPeer):
            await ours.dialer.dial(other.at, peer_id(OTHER))


async def test_each_notices_that_the_other_has_left() -> None:
    async with stock(STOCK) as other, world() as w:
        ours = await w.host(OURS)
        connection = await ours.dialer.dial(other.at, other.peer_id)
        await say(ours, other.peer_id, b"hello")
        await other.host.disconnect(ID.from_string(ours.peer_id))
        await connection.closed.wait()
        await ours.dialer.dial(other.at, other.peer_id, port=0)
        await say(ours, other.peer_id, b"hello")
        await w.stop(ours)
        await until(lambda: not other.host.get_network().connections.get(ID.from_string(ours.peer_id)))


# Through our relay


async def test_a_stock_listener_is_reached_through_our_relay() -> None:
    data = os.urandom(200_000)
    async with stock_client(STOCK, listens=True) as (other, transport), world() as w:
        relay = await w.relay()
        await other.connect(relay.host.listener.addresses[0], relay.host.peer_id)
        async with trio.open_nursery() as nursery:
            assert await reserve(other, transport, relay.address, nursery)
            assert list(relay.ledger.reservations) == [other.peer_id]
            ours = await w.party(OURS, relay, reserve=False, punches=False)
            connection = await circuit.dial(ours.host, await ours.links[0].connection(), other.peer_id)
            assert connection.route.path == RELAYED
            assert await say(ours.host, other.peer_id, data) == data
            assert relay.ledger.pairs[ours.peer_id, other.peer_id].bytes_forward > len(data)
            nursery.cancel_scope.cancel()


async def test_a_stock_dialer_reaches_ours_through_our_relay() -> None:
    data = os.urandom(200_000)
    async with stock_client(STOCK, listens=False) as (other, transport), world() as w:
        relay = await w.relay()
        ours = await w.party(OURS, relay, punches=False)
        await other.connect(relay.host.listener.addresses[0], relay.host.peer_id)
        await transport.dial(Multiaddr(relay.address.circuit_to(ours.peer_id)))
        await standing(ours.host, other.peer_id, RELAYED)
        assert await other.say(ours.peer_id, data) == data
        assert await say(ours.host, other.peer_id, data) == data


# Through a stock relay


async def test_two_of_ours_meet_through_a_stock_relay() -> None:
    data = os.urandom(200_000)
    async with stock_relay(STOCK_RELAY) as relay, world() as w:
        listener = our_party(OTHER, relay, reserve_there=True)
        await w.run(listener.host, *(link.run for link in listener.links))
        await until(lambda: listener.links[0].keeper.expires is not None)
        assert str(listener.links[0].observed) == str(listener.host.listener.addresses[0])
        dialer = our_party(OURS, relay, reserve_there=False)
        await w.run(dialer.host, *(link.run for link in dialer.links))
        connection = await circuit.dial(dialer.host, await dialer.links[0].connection(), listener.peer_id)
        assert connection.route.relay == relay.peer_id
        assert await say(dialer.host, listener.peer_id, data) == data
        assert await say(listener.host, dialer.peer_id, data) == data


async def test_a_stock_relay_says_that_it_has_no_reservation() -> None:
    async with stock_relay(STOCK_RELAY) as relay, world() as w:
        dialer = our_party(OURS, relay, reserve_there=False)
        await w.run(dialer.host, *(link.run for link in dialer.links))
        with pytest.raises(NoReservation):
            await circuit.dial(dialer.host, await dialer.links[0].connection(), peer_id(OTHER))
