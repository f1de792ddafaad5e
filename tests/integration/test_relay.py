"""A relay over loopback: reservations, circuits, their limits, and who gets neither."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
import trio
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, StopMessage
from multiaddr import Multiaddr

from kaspa_node import milestones
from kaspa_node.p2p import identify
from kaspa_node.p2p.channel import select
from kaspa_node.p2p.channel.connection import INCOMING, OUTGOING, RELAYED, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import NoReservation, RelayRefused, StreamReset
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.relay import circuit
from kaspa_node.p2p.relay import messages as wire
from kaspa_node.p2p.relay.ledger import RelayLimits
from tests.integration.world import Party, Relay, World, read_all, say, send, standing, until, world
from tests.unit.p2p.parties import peer_id

pytestmark = pytest.mark.trio


async def joined(w: World, limits: RelayLimits | None = None) -> tuple[Relay, Party, Party]:
    """A relay, a party that dials, and one with a reservation."""
    relay = await w.relay(limits)
    return relay, await w.party(1, relay, reserve=False, punches=False), await w.party(2, relay, punches=False)


async def dial(source: Party, destination: Party) -> Connection:
    """A connection through the relay."""
    return await circuit.dial(source.host, await source.links[0].connection(), destination.peer_id)


async def hop(party: Party, request: HopMessage) -> tuple[Stream, HopMessage]:
    """The relay's answer to a request by hand."""
    stream = await party.host.protocols.open(await party.links[0].connection(), [wire.HOP_PROTOCOL])
    await wire.write(stream, request)
    return stream, await wire.read_hop(stream)


def connect_to(peer: str) -> HopMessage:
    """The request for a circuit."""
    request = HopMessage(type=HopMessage.CONNECT)
    request.peer.id = wire.peer_bytes(peer)
    return request


async def by_hand(w: World, limits: RelayLimits) -> tuple[Relay, Stream, Stream]:
    """Both ends of a circuit without the end-to-end channel, so that its bytes can be counted."""
    relay, a, b = await joined(w, limits)
    ends: list[Stream] = []

    async def stop(stream: Stream) -> None:
        await wire.read_stop(stream)
        await wire.write(stream, StopMessage(type=StopMessage.STATUS, status=wire.status_number(wire.OK)))
        ends.append(stream)

    b.host.protocols.serve(wire.STOP_PROTOCOL, stop)
    stream, answer = await hop(a, connect_to(b.peer_id))
    assert wire.status_name(answer.status) == wire.OK
    await until(lambda: ends)
    return relay, stream, ends[0]


# Reservations


async def test_a_reservation_is_granted_and_told_with_the_observed_address() -> None:
    async with world() as w:
        relay, _, b = await joined(w, RelayLimits(reservation_ttl=600))
        assert list(relay.ledger.reservations) == [b.peer_id]
        observed = str(b.host.listener.addresses[0])
        assert relay.ledger.reservations[b.peer_id].observed == observed
        assert str(b.links[0].observed) == observed
        assert relay.journal.of("relay.reservation.accepted")["observed"] == observed
        assert b.journal.of("mapping.observed")["addr"] == observed
        accepted = b.journal.of("reservation.accepted")
        assert (accepted["relay"], accepted["renewal"]) == (relay.host.peer_id, False)
        # On the wire the end is a whole second of the relay's clock.
        assert accepted["ttl"] in (599, 600)
        assert b.journal.of("reservation.published")["addr"] == f"{relay.address.addr}/p2p-circuit/p2p/{b.peer_id}"


async def test_a_reservation_ends_with_the_connection() -> None:
    async with world() as w:
        relay, _, b = await joined(w)
        await w.stop(b.host)
        ended = await relay.journal.seen(milestones.RELAY_RESERVATION_ENDED)
        assert ended["peer"] == b.peer_id
        assert relay.ledger.reservations == {}


async def test_a_full_relay_denies_and_says_so() -> None:
    async with world() as w:
        relay, a, _ = await joined(w, RelayLimits(max_reservations=1))
        _, answer = await hop(a, HopMessage(type=HopMessage.RESERVE))
        assert wire.status_name(answer.status) == wire.RESERVATION_REFUSED
        assert relay.service.denied == 1
        assert relay.journal.of("relay.reservation.denied") == {"peer": a.peer_id, "status": wire.RESERVATION_REFUSED}


async def test_the_answer_tells_where_the_relay_is_and_no_limit_where_there_is_none() -> None:
    # go-libp2p refuses ordinary streams on a circuit with a Limit; 0.8.1 sends one always.
    async with world() as w:
        relay, a, b = await joined(w)
        _, answer = await hop(a, HopMessage(type=HopMessage.RESERVE))
        assert list(answer.reservation.addrs) == [relay.host.listener.addresses[0].encode()]
        assert not answer.HasField("limit")
        # Behind a 1:1 NAT its sockets have a private address. Nothing looks a name up.
        relay.host.announced = [Multiaddr("/dns/relay.invalid/tcp/4011").to_bytes()]
        _, answer = await hop(a, HopMessage(type=HopMessage.RESERVE))
        assert list(answer.reservation.addrs) == relay.host.announced
        _, answer = await hop(a, connect_to(b.peer_id))
        assert not answer.HasField("limit")


async def test_limits_are_told_where_there_are_some() -> None:
    async with world() as w:
        _, a, b = await joined(w, RelayLimits(circuit_duration=120, circuit_bytes=1 << 20))
        for request in (HopMessage(type=HopMessage.RESERVE), connect_to(b.peer_id)):
            _, answer = await hop(a, request)
            assert (answer.limit.duration, answer.limit.data) == (120, 1 << 20)


# Circuits


@pytest.mark.parametrize("size", [1, 1 << 20, 5 << 20])
async def test_a_circuit_carries_streams_both_ways(size: int) -> None:
    data = os.urandom(size)
    async with world() as w:
        relay, a, b = await joined(w)
        connection = await dial(a, b)
        assert await say(a.host, b.peer_id, data, RELAYED) == data
        assert await say(b.host, a.peer_id, data, RELAYED) == data
        theirs = await standing(b.host, a.peer_id, RELAYED)
        assert connection.id == theirs.id
        assert (connection.route.direction, theirs.route.direction) == (OUTGOING, INCOMING)
        assert connection.route.relay == theirs.route.relay == relay.host.peer_id


async def test_a_destination_without_a_reservation() -> None:
    async with world() as w:
        relay, a, b = await joined(w)
        with pytest.raises(NoReservation):
            await circuit.dial(b.host, await b.links[0].connection(), a.peer_id)
        assert relay.journal.of("relay.circuit.denied")["status"] == wire.NO_RESERVATION
        assert relay.ledger.circuits == {}


@pytest.mark.parametrize("limits", [RelayLimits(max_circuits=1), RelayLimits(max_circuits_per_peer=1)])
async def test_one_circuit_too_many_is_denied_until_one_ends(limits: RelayLimits) -> None:
    async with world() as w:
        relay, a, b = await joined(w, limits)
        first = await dial(a, b)
        with pytest.raises(RelayRefused, match=wire.RESOURCE_LIMIT_EXCEEDED):
            await dial(a, b)
        assert relay.service.denied == 1
        first.close("done")
        await relay.journal.seen(milestones.RELAY_CIRCUIT_CLOSED)
        await dial(a, b)


async def test_the_end_of_the_first_circuit_leaves_the_second_to_the_same_listener_alone() -> None:
    # Defect 1 of 0.8.1: circuits keyed by peer (relay/circuit_v2/protocol.py:672, 722, 929).
    async with world() as w:
        relay, a, b = await joined(w)
        c = await w.party(3, relay, reserve=False, punches=False)
        first, second, third = await dial(a, b), await dial(a, b), await dial(c, b)
        first.close("done")
        await relay.journal.seen(milestones.RELAY_CIRCUIT_CLOSED)
        assert await say(a.host, b.peer_id, b"the same dialer") == b"the same dialer"
        assert await say(c.host, b.peer_id, b"another") == b"another"
        assert not second.closed.is_set()
        assert not third.closed.is_set()
        assert len(relay.ledger.circuits) == 2


async def test_either_end_leaving_ends_the_circuit_for_the_other() -> None:
    async with world() as w:
        relay, a, b = await joined(w)
        connection = await dial(a, b)
        await w.stop(b.host)
        await connection.closed.wait()
        closed = await relay.journal.seen(milestones.RELAY_CIRCUIT_CLOSED)
        assert (closed["src"], closed["dst"]) == (a.peer_id, b.peer_id)
        assert relay.ledger.circuits == {}


async def test_a_dial_that_is_given_up_leaves_no_circuit() -> None:
    async with world() as w:
        relay, a, b = await joined(w)
        asked = trio.Event()

        async def slow_stop(stream: Stream) -> None:
            asked.set()
            await trio.sleep_forever()

        b.host.protocols.serve(wire.STOP_PROTOCOL, slow_stop)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dial, a, b)
            await asked.wait()
            assert len(relay.ledger.circuits) == 1
            nursery.cancel_scope.cancel()
        # The destination stays silent: that the source gave up has to be enough.
        await until(lambda: not relay.ledger.circuits)


# Limits


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 1000, 300_000])
async def test_the_byte_limit_is_exact_in_each_direction(limit: int, forward: bool) -> None:
    async with world() as w:
        relay, source, destination = await by_hand(w, RelayLimits(circuit_bytes=limit))
        sender, receiver = (source, destination) if forward else (destination, source)
        got = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_beyond, sender, limit)
            with suppress(StreamReset):
                while True:
                    got += await receiver.read()
        assert len(got) == limit
        closed = await relay.journal.seen(milestones.RELAY_CIRCUIT_CLOSED)
        carried, other = ("bytes_forward", "bytes_backward") if forward else ("bytes_backward", "bytes_forward")
        assert (closed[carried], closed[other]) == (limit, 0)
        assert closed["reason"] == f"its {limit} bytes are used up"


async def send_beyond(stream: Stream, limit: int) -> None:
    """Write one byte more than is allowed."""
    try:
        await stream.write(bytes(limit + 1))
    except StreamReset:
        return


async def test_what_stays_within_the_limit_is_not_cut() -> None:
    async with world() as w:
        relay, source, destination = await by_hand(w, RelayLimits(circuit_bytes=1000))
        for sender, receiver in ((source, destination), (destination, source)):
            await send(sender, bytes(1000))
            assert len(await read_all(receiver)) == 1000
        closed = await relay.journal.seen(milestones.RELAY_CIRCUIT_CLOSED)
        assert (closed["bytes_forward"], closed["bytes_backward"]) == (1000, 1000)
        assert closed["reason"] == "ended by both sides"


async def test_a_circuit_lasts_no_longer_than_its_time() -> None:
    async with world() as w:
        relay, a, b = await joined(w, RelayLimits(circuit_duration=0.2))
        connection = await dial(a, b)
        await connection.closed.wait()
        closed = await relay.journal.seen(milestones.RELAY_CIRCUIT_CLOSED)
        assert str(closed["reason"]).endswith("s are over")
        assert relay.ledger.circuits == {}


async def test_counters_of_a_pair_only_grow_and_hold_what_closed_circuits_carried() -> None:
    async with world() as w:
        relay, a, b = await joined(w)
        seen = (0, 0, 0)
        for number in range(1, 4):
            connection = await dial(a, b)
            await say(a.host, b.peer_id, bytes(10_000), RELAYED)
            connection.close("done")
            await relay.journal.seen(milestones.RELAY_CIRCUIT_CLOSED, count=number)
            totals = relay.ledger.pairs[a.peer_id, b.peer_id]
            assert (totals.circuits, totals.open) == (number, 0)
            assert totals.bytes_forward >= seen[1] + 10_000
            assert totals.bytes_backward >= seen[2] + 10_000
            seen = (totals.circuits, totals.bytes_forward, totals.bytes_backward)
        closed = relay.journal.all(milestones.RELAY_CIRCUIT_CLOSED)
        assert sum(int(str(c["bytes_forward"])) for c in closed) == seen[1]
        assert sum(int(str(c["bytes_backward"])) for c in closed) == seen[2]


# Who is not on the list


async def refused_by(relay: Relay, host: Host, request: HopMessage) -> str:
    """The relay's status for a stranger's request."""
    connection = await host.dialer.dial(relay.host.listener.addresses[0], relay.host.peer_id, port=0)
    stream = await host.protocols.open(connection, [wire.HOP_PROTOCOL])
    await wire.write(stream, request)
    return wire.status_name((await wire.read_hop(stream)).status)


async def test_strangers_get_neither_reservation_nor_circuit_and_are_counted() -> None:
    async with world() as w:
        relay = await w.relay(permits={peer_id(2)}.__contains__)
        await w.party(2, relay, punches=False)
        stranger = await w.host(3)
        reserve = HopMessage(type=HopMessage.RESERVE)
        assert await refused_by(relay, stranger, reserve) == wire.PERMISSION_DENIED
        assert await refused_by(relay, stranger, connect_to(peer_id(2))) == wire.PERMISSION_DENIED
        assert relay.service.refusals.count == 2
        lines = relay.journal.all(milestones.PEER_REFUSED)
        assert [(line["what"], line["peer"], line["count"]) for line in lines] == [
            ("reservation", peer_id(3), 1),
            ("circuit", peer_id(3), 2),
        ]
        assert set(relay.ledger.reservations) == {peer_id(2)}
        assert relay.ledger.pairs == {}


async def test_a_listener_refuses_circuits_of_strangers_itself() -> None:
    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False, punches=False)
        b = await w.party(2, relay, punches=False, permits=lambda peer: False)
        with pytest.raises(RelayRefused, match=wire.CONNECTION_FAILED):
            await dial(a, b)
        assert b.circuits.refusals.count == 1
        assert b.journal.of("peer.refused") == {"what": "circuit", "peer": a.peer_id, "count": 1}
        assert b.host.connections.to(a.peer_id) is None


async def test_circuits_come_from_configured_relays_only() -> None:
    async with world() as w:
        _, a, b = await joined(w)
        connection = await a.host.dialer.dial(b.host.listener.addresses[0], b.peer_id)
        stream = await a.host.protocols.open(connection, [wire.STOP_PROTOCOL])
        request = StopMessage(type=StopMessage.CONNECT)
        request.peer.id = wire.peer_bytes(peer_id(7))
        await wire.write(stream, request)
        with pytest.raises(circuit.ProtocolError, match="does not speak"):
            await wire.read_stop(stream)


@pytest.mark.parametrize(
    "garbage", [b"\x00", b"\x05\xff\xff\xff\xff\xff", b"\xff" * 40, b"\x02\x08\x01", b"\x02\x08\x09"]
)
async def test_a_hostile_request_costs_only_its_stream(garbage: bytes) -> None:
    async with world() as w:
        relay, a, b = await joined(w)
        stream = await a.host.protocols.open(await a.links[0].connection(), [wire.HOP_PROTOCOL])
        await stream.write(garbage)
        stream.close()
        with suppress(StreamReset):
            await read_all(stream)
        await dial(a, b)
        assert await say(a.host, b.peer_id, b"untouched", RELAYED) == b"untouched"
        assert len(relay.ledger.circuits) == 1


# identify over a circuit


async def test_each_end_of_a_circuit_is_told_the_circuits_address_as_observed() -> None:
    async with world() as w:
        relay, a, b = await joined(w)
        at_a = await dial(a, b)
        at_b = await standing(b.host, a.peer_id, RELAYED)
        for host, connection in ((a.host, at_a), (b.host, at_b)):
            stream = await host.protocols.open(connection, [identify.PROTOCOL])
            told = Identify.FromString(await select.read_message(stream, identify.MAX_BYTES))
            observed = Multiaddr(f"{relay.address.addr}/p2p-circuit")
            assert told.observed_addr == observed.to_bytes()
            await connection.identified.wait()
            assert connection.observed is None
