"""Names, numbers and ids in the relay's messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Reservation

from kaspa_node.p2p.errors import ProtocolError
from kaspa_node.p2p.relay import messages as wire
from tests.unit.p2p.parties import peer_id

# circuit-v2.md of the libp2p specifications, "Protobuf".
STATUS = {
    "OK": 100,
    "RESERVATION_REFUSED": 200,
    "RESOURCE_LIMIT_EXCEEDED": 201,
    "PERMISSION_DENIED": 202,
    "CONNECTION_FAILED": 203,
    "NO_RESERVATION": 204,
    "MALFORMED_MESSAGE": 400,
    "UNEXPECTED_MESSAGE": 401,
}


@pytest.mark.parametrize(("name", "number"), STATUS.items())
def test_statuses_are_the_specifications(name: str, number: int) -> None:
    assert getattr(wire, name) == name
    assert wire.status_number(name) == number
    assert wire.status_name(number) == name


def test_a_status_of_the_future_is_told_by_its_number() -> None:
    assert wire.status_name(777) == "STATUS_777"


@given(st.integers(0, 2**64 - 1))
def test_the_life_of_a_reservation_is_a_field_that_others_skip(seconds: int) -> None:
    sent = HopMessage(type=HopMessage.STATUS)
    sent.reservation.expire = 1_800_000_000
    wire.put_life(sent.reservation, seconds)
    read = HopMessage.FromString(sent.SerializeToString())
    assert wire.life_of(read.reservation) == seconds
    assert read.reservation.expire == 1_800_000_000


@pytest.mark.parametrize("raw", ["", "8ab70d0161", "89b70d0000000000000000"], ids=["none", "bytes", "fixed64"])
def test_a_field_of_that_number_and_another_type_is_no_life(raw: str) -> None:
    assert wire.life_of(Reservation.FromString(bytes.fromhex(raw))) is None


def test_the_life_on_the_wire() -> None:
    reservation = Reservation()
    wire.put_life(reservation, 60)
    assert reservation.SerializeToString() == bytes.fromhex("88b70d3c")


def test_peer_ids_to_bytes_and_back() -> None:
    assert wire.peer_text(wire.peer_bytes(peer_id(1))) == peer_id(1)


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_a_peer_id_or_a_protocol_error(raw: bytes) -> None:
    try:
        assert wire.peer_bytes(wire.peer_text(raw)) == raw
    except ProtocolError:
        assert not 2 <= len(raw) <= 64
