"""What is looked at of a message before it is unpacked and parsed."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.addresses import RECEIVED_LIMIT
from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.intake import AFTER_HANDSHAKE, IN_HANDSHAKE, LIMITS, MESSAGE_LIMIT, Intake
from kaspa_node.kaspa.messages import Unread
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from kaspa_node.kaspa.protowire.p2p_pb2 import AddressesMessage, InvTransactionsMessage, NetAddress, TransactionId
from tests.unit.kaspa.machines import version

MEBIBYTE = 1 << 20
READY = messages.ready().SerializeToString()
NOT_A_MESSAGE = "received bytes that are no kaspad p2p message"


def ready() -> Intake:
    """Of a stream on which the peer is ready."""
    intake = Intake()
    intake.take(READY)
    return intake


def refusal(intake: Intake, data: bytes) -> str | None:
    """Why a message is not taken; None if it is."""
    try:
        intake.take(data)
    except ProtocolError as error:
        return error.reason
    return None


def addresses(count: int, entry: NetAddress | None = None) -> KaspadMessage:
    filled = NetAddress(ip=bytes(16), port=16111) if entry is None else entry
    return KaspadMessage(addresses=AddressesMessage(addressList=[filled] * count))


def of_size(field: int, size: int) -> bytes:
    """A payload of that many bytes that hold nothing but empty fields, as an attacker makes it."""
    tag = bytes([field << 3 | 2]) if field < 16 else bytes([field << 3 & 0x7F | 0x82, field >> 4])
    length, rest = bytearray(), size
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return tag + bytes([*length, rest]) + b"\x0a\x00" * (size // 2)


HANDSHAKE = [version(userAgent="/kaspad:2.1.0/" * 10), messages.verack(), messages.ready(), messages.reject("no")]
FLOWS = [
    messages.ping(7),
    messages.pong(2**64 - 1, 3),
    messages.request_addresses(),
    addresses(1000),
    messages.reject("enough" * 300),
]


@pytest.mark.parametrize("packed", [False, True])
def test_the_messages_of_the_flows_are_read(packed: bool) -> None:
    for intake, said in ((Intake(), HANDSHAKE[:2] + HANDSHAKE[3:] + HANDSHAKE[2:3]), (ready(), FLOWS)):
        for message in said:
            data = message.SerializeToString()
            assert intake.take(gzip.compress(data) if packed else data) == message


def test_the_route_numbers_may_come_first() -> None:
    data = KaspadMessage(request_id=2**32 - 1, response_id=5).SerializeToString() + messages.ping(3).SerializeToString()
    assert ready().take(data) == KaspadMessage(ping={"nonce": 3}, request_id=2**32 - 1, response_id=5)


@pytest.mark.parametrize("packed", [False, True])
def test_the_largest_inventory_of_kaspad_passes_and_is_not_read(packed: bool) -> None:
    ids = [TransactionId(bytes=bytes(28) + number.to_bytes(4, "big")) for number in range(131_072)]
    data = KaspadMessage(invTransactions=InvTransactionsMessage(ids=ids)).SerializeToString()
    assert len(data) <= MESSAGE_LIMIT
    assert ready().take(gzip.compress(data, 1) if packed else data) == Unread("InvTransactions", 131_072 * 36)


def test_addresses_are_read_once_and_none_before_the_peer_is_ready() -> None:
    data = addresses(2).SerializeToString()
    assert isinstance(Intake().take(data), Unread)
    intake = ready()
    assert intake.take(data) == addresses(2)
    assert intake.take(data) == Unread("Addresses", len(data) - 2)


def test_every_kind_that_is_read_has_its_limit() -> None:
    assert set(LIMITS) == IN_HANDSHAKE | AFTER_HANDSHAKE


@pytest.mark.parametrize(
    ("intake", "data", "reason"),
    [
        (ready(), of_size(1, 30 * MEBIBYTE), "a Addresses message of 31457280 bytes exceeds 524288"),
        (ready(), of_size(1, 500_000), f"address count exceeded {RECEIVED_LIMIT}"),
        (ready(), addresses(RECEIVED_LIMIT + 1).SerializeToString(), f"address count exceeded {RECEIVED_LIMIT}"),
        (
            ready(),
            addresses(1, NetAddress(relayCircuitHint="x" * 2000)).SerializeToString(),
            "an address of 2003 bytes exceeds 1024",
        ),
        (Intake(), of_size(20, 30 * MEBIBYTE), "a Version message of 31457280 bytes exceeds 16384"),
        (ready(), of_size(16, 1000), "a Ping message of 1000 bytes exceeds 256"),
        (ready(), of_size(16, 10) + b"\x0a\x00" * MEBIBYTE, "a Ping message is longer than it says"),
    ],
)
def test_what_is_too_much_costs_next_to_nothing(intake: Intake, data: bytes, reason: str) -> None:
    packed = gzip.compress(data)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError) as caught:
            intake.take(packed)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.reason.startswith(reason)
    assert peak < 2 * MEBIBYTE


def test_a_kind_without_a_flow_stays_packed() -> None:
    packed = gzip.compress(of_size(2, 100 * MEBIBYTE))
    tracemalloc.start()
    try:
        assert ready().take(packed) == Unread("Block", 100 * MEBIBYTE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEBIBYTE


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff",
        b"\x0f",
        b"\x1f\x8b",
        b"\x1f\x8b" + bytes(20),
        gzip.compress(b"\xff" * 100),
        messages.ping(5).SerializeToString()[:-1],
        gzip.compress(messages.ping(2**63).SerializeToString())[:-12],
        b"\x0a\x82\x80",
    ],
)
def test_bytes_that_are_no_message(data: bytes) -> None:
    before, after = (refusal(intake, data) for intake in (Intake(), ready()))
    assert NOT_A_MESSAGE in {before, after}


@pytest.mark.parametrize("data", [b"", bytes([0xB2, 0x04, 0x00]), b"\xa8\x06\x07"])
def test_a_message_without_a_payload_that_we_know(data: bytes) -> None:
    assert messages.kind(Intake().take(data)) == ""


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, packed: bool) -> None:
    for intake in (Intake(), ready()):
        assert refusal(intake, gzip.compress(data) if packed else data) != ""
