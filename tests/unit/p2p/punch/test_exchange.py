"""The messages of a hole punch: who dials when, in which role, and what of a hostile remote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.relay.circuit_v2.pb.dcutr_pb2 import HolePunch
from multiaddr import Multiaddr

from kaspa_node.p2p.addresses import MAX_TARGETS, Leg, SocketAddress
from kaspa_node.p2p.errors import ProtocolError
from kaspa_node.p2p.punch.exchange import (
    CLIENT,
    LONGEST_WAIT,
    MAX_BYTES,
    SERVER,
    Dial,
    Event,
    Expect,
    Initiator,
    Responder,
    Send,
)
from tests.unit.p2p.parties import peer_id

THERE, OTHER = peer_id(1), peer_id(2)
A, B = SocketAddress("203.0.113.20", 4012), SocketAddress("203.0.113.30", 4012)
PRIVATE = SocketAddress("10.1.0.2", 4012)
LEG = Leg(PRIVATE, SocketAddress("203.0.113.10", 4011))
NOW = 1000.0


def connect(*addresses: SocketAddress) -> bytes:
    """A CONNECT as another implementation sends it."""
    message = HolePunch(type=HolePunch.CONNECT)
    message.ObsAddrs.extend(address.encode() for address in addresses)
    return message.SerializeToString()


SYNC = HolePunch(type=HolePunch.SYNC).SerializeToString()


def sent(events: list[Event]) -> bytes:
    """The one message among `events`."""
    (message,) = [event.message for event in events if isinstance(event, Send)]
    return message


def dial(events: list[Event]) -> Dial:
    """The one dial among `events`."""
    (found,) = [event for event in events if isinstance(event, Dial)]
    return found


# The specification's order


def test_the_initiator_names_its_addresses_first() -> None:
    raw = HolePunch.FromString(sent(Initiator([B], leg=LEG, remote=THERE, agreed=False).start(NOW)))
    assert raw.type == HolePunch.CONNECT
    assert list(raw.ObsAddrs) == [B.encode()]


def test_the_initiator_syncs_and_dials_half_a_round_trip_later_as_server() -> None:
    machine = Initiator([B], leg=LEG, remote=THERE, agreed=False)
    machine.start(NOW)
    events = machine.receive(connect(A), NOW + 0.1)
    assert [type(event) for event in events] == [Expect, Send, Dial]
    assert events[0] == Expect((A,), SERVER)
    assert sent(events) == SYNC
    found = dial(events)
    assert found.at == pytest.approx(NOW + 0.15)
    assert (found.role, found.targets) == (SERVER, (A,))
    assert found.round_trip == pytest.approx(0.1)


def test_the_responder_answers_and_dials_at_the_sync_as_client() -> None:
    machine = Responder([A], leg=LEG, remote=THERE, round_trip=None)
    assert HolePunch.FromString(sent(machine.receive(connect(B), NOW))).type == HolePunch.CONNECT
    assert machine.receive(SYNC, NOW + 0.1) == [Dial(NOW + 0.1, CLIENT, (B,), pytest.approx(0.1))]


def test_both_dial_at_the_same_instant() -> None:
    one_way = 0.05
    b, a = Initiator([B], leg=LEG, remote=THERE, agreed=False), Responder([A], leg=LEG, remote=THERE, round_trip=None)
    first = sent(b.start(NOW))
    answer = sent(a.receive(first, NOW + one_way))
    events = b.receive(answer, NOW + 2 * one_way)
    at_b = dial(events).at
    at_a = dial(a.receive(sent(events), NOW + 3 * one_way)).at
    assert at_a == pytest.approx(at_b)


def test_a_remote_that_holds_its_answer_back_does_not_delay_the_dial_for_long() -> None:
    machine = Initiator([B], leg=LEG, remote=THERE, agreed=False)
    machine.start(NOW)
    assert dial(machine.receive(connect(A), NOW + 100)).at == NOW + 100 + LONGEST_WAIT


@pytest.mark.parametrize("round_trip", [None, 0.1])
def test_the_responder_expects_the_dial_before_it_has_told_its_addresses(round_trip: float | None) -> None:
    machine = Responder([A], leg=LEG, remote=THERE, round_trip=round_trip)
    first, second, *_ = machine.receive(connect(B, PRIVATE), NOW)
    assert first == Expect((B,), CLIENT)
    assert isinstance(second, Send)


# The agreed dial


def test_an_agreed_dial_spares_the_sync() -> None:
    one_way = 0.05
    b, a = (
        Initiator([B], leg=LEG, remote=THERE, agreed=True),
        Responder([A], leg=LEG, remote=THERE, round_trip=2 * one_way),
    )
    events = a.receive(sent(b.start(NOW)), NOW + one_way)
    at_a = dial(events)
    assert at_a == Dial(pytest.approx(NOW + 2 * one_way), CLIENT, (B,), 2 * one_way)
    at_b = dial(b.receive(sent(events), NOW + 2 * one_way))
    assert (at_b.at, at_b.role) == (NOW + 2 * one_way, SERVER)


def test_the_sync_is_sent_all_the_same() -> None:
    b, a = Initiator([B], leg=LEG, remote=THERE, agreed=True), Responder([A], leg=LEG, remote=THERE, round_trip=0.1)
    answer = sent(a.receive(sent(b.start(NOW)), NOW))
    assert sent(b.receive(answer, NOW)) == SYNC


@pytest.mark.parametrize(("offered", "timed"), [(True, False), (False, True), (False, False)])
def test_it_takes_both_sides_to_agree(offered: bool, timed: bool) -> None:
    b, a = (
        Initiator([B], leg=LEG, remote=THERE, agreed=offered),
        Responder([A], leg=LEG, remote=THERE, round_trip=0.1 if timed else None),
    )
    events = a.receive(sent(b.start(NOW)), NOW + 0.05)
    assert not any(isinstance(event, Dial) for event in events)
    assert dial(b.receive(sent(events), NOW + 0.1)).at == pytest.approx(NOW + 0.15)


def test_others_read_our_messages_as_the_specifications() -> None:
    raw = HolePunch.FromString(sent(Initiator([B], leg=LEG, remote=THERE, agreed=True).start(NOW)))
    assert raw.type == HolePunch.CONNECT
    assert list(raw.ObsAddrs) == [B.encode()]


def test_a_long_relayed_round_trip_does_not_delay_the_agreed_dial_for_long() -> None:
    b, a = Initiator([B], leg=LEG, remote=THERE, agreed=True), Responder([A], leg=LEG, remote=THERE, round_trip=60.0)
    assert dial(a.receive(sent(b.start(NOW)), NOW)).at == NOW + LONGEST_WAIT


# Addresses


def test_private_addresses_of_the_remote_are_left_out() -> None:
    machine = Initiator([B], leg=LEG, remote=THERE, agreed=False)
    machine.start(NOW)
    assert dial(machine.receive(connect(PRIVATE, A), NOW)).targets == (A,)


@pytest.mark.parametrize(("peer", "targets"), [(THERE, (A,)), (OTHER, ())])
def test_rust_ends_each_address_with_its_own_id_and_nobody_with_anothers(
    peer: str, targets: tuple[SocketAddress, ...]
) -> None:
    message = HolePunch(type=HolePunch.CONNECT)
    message.ObsAddrs.append(Multiaddr(f"{A.multiaddr()}/p2p/{peer}").to_bytes())
    initiator, responder = (
        Initiator([B], leg=LEG, remote=THERE, agreed=True),
        Responder([B], leg=LEG, remote=THERE, round_trip=None),
    )
    initiator.start(NOW)
    assert dial(initiator.receive(message.SerializeToString(), NOW)).targets == targets
    assert responder.receive(message.SerializeToString(), NOW)[0] == Expect(targets, CLIENT)


def test_a_remote_without_a_usable_address_leaves_nothing_to_dial() -> None:
    machine = Initiator([B], leg=LEG, remote=THERE, agreed=False)
    machine.start(NOW)
    assert dial(machine.receive(connect(), NOW)).targets == ()


def test_a_remote_may_not_have_us_dial_a_whole_network() -> None:
    many = [SocketAddress("198.51.100.1", port) for port in range(1, 300)]
    machine = Initiator([B], leg=LEG, remote=THERE, agreed=False)
    machine.start(NOW)
    assert len(dial(machine.receive(connect(*many), NOW)).targets) == MAX_TARGETS
    assert len(connect(*many)) <= MAX_BYTES


# Hostile messages


@pytest.mark.parametrize("raw", [b"", b"\xff", SYNC, b"\x08\x07", connect(A)[:-3]])
def test_what_is_no_connect_is_a_protocol_error(raw: bytes) -> None:
    machine = Initiator([B], leg=LEG, remote=THERE, agreed=True)
    machine.start(NOW)
    with pytest.raises(ProtocolError):
        machine.receive(raw, NOW)
    with pytest.raises(ProtocolError):
        Responder([A], leg=LEG, remote=THERE, round_trip=0.1).receive(raw, NOW)


def test_a_second_connect_where_the_sync_belongs() -> None:
    machine = Responder([A], leg=LEG, remote=THERE, round_trip=None)
    machine.receive(connect(B), NOW)
    with pytest.raises(ProtocolError, match="expected SYNC"):
        machine.receive(connect(B), NOW)


@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_raise_nothing_but_protocol_errors(raw: bytes, agreed: bool) -> None:
    b, a = (
        Initiator([B], leg=LEG, remote=THERE, agreed=agreed),
        Responder([A], leg=LEG, remote=THERE, round_trip=0.1 if agreed else None),
    )
    b.start(NOW)
    for machine in (a, b):
        try:
            machine.receive(raw, NOW)
        except ProtocolError:
            continue
