"""Addresses on the wire and in the book."""

from __future__ import annotations

import ipaddress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.kaspa.addresses import (
    SENT_LIMIT,
    AddressBook,
    NodeAddress,
    addresses_from_wire,
    from_wire,
    to_wire,
)
from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.protowire.p2p_pb2 import RELAY_ROLE_PRIVATE, AddressesMessage, NetAddress


def address(text: str, port: int = 16111) -> NodeAddress:
    return NodeAddress(ipaddress.ip_address(text), port)


def public(count: int) -> list[NodeAddress]:
    return [NodeAddress(ipaddress.IPv4Address(0x08000000 + n), 16111) for n in range(count)]


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_survives_the_wire(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    read = from_wire(to_wire(NodeAddress(ip, port)))
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    assert read == NodeAddress(mapped or ip, port)


def test_an_ipv4_address_in_ipv6_clothes_is_the_ipv4_address() -> None:
    packed = ipaddress.ip_address("::ffff:8.8.8.8").packed
    assert from_wire(NetAddress(ip=packed, port=1)) == address("8.8.8.8", 1)


@given(st.binary(max_size=40), st.integers(0, 2**32 - 1))
def test_any_net_address_is_an_address_or_a_protocol_error(ip: bytes, port: int) -> None:
    try:
        read = from_wire(NetAddress(ip=ip, port=port))
    except ProtocolError:
        assert len(ip) not in (4, 16) or port > 65535
    else:
        assert read.port == port


def test_the_forks_additions_are_left_alone() -> None:
    message = NetAddress(ip=bytes(4), port=1, services=1, relayRole=RELAY_ROLE_PRIVATE, libp2pPeerId="12D3")
    assert from_wire(message) == address("0.0.0.0", 1)
    assert [field.name for field, _ in to_wire(address("8.8.8.8")).ListFields()] == ["ip", "port"]


def test_2500_addresses_are_accepted_and_one_more_is_not() -> None:
    entry = NetAddress(ip=bytes([8, 8, 8, 8]), port=1)
    assert len(addresses_from_wire(AddressesMessage(addressList=[entry] * 2500))) == 2500
    with pytest.raises(ProtocolError):
        addresses_from_wire(AddressesMessage(addressList=[entry] * 2501))


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1", "127.0.0.1", "0.0.0.0", "192.168.1.1", "203.0.113.1", "224.0.0.1", "240.1.2.3", "::1", "fdff::1",
     "fe80::1", "ff02::1", "100.64.0.1"],
)  # fmt: skip
def test_unroutable_addresses_are_not_kept(text: str) -> None:
    book = AddressBook()
    assert book.add([address(text)]) == 0
    assert len(book) == 0


def test_a_port_of_zero_is_not_kept() -> None:
    assert AddressBook().add([address("8.8.8.8", 0)]) == 0


def test_routable_addresses_are_kept_once() -> None:
    book = AddressBook()
    assert book.add([address("8.8.8.8"), address("8.8.8.8"), address("2001:4860:4860::8888")]) == 2
    assert address("8.8.8.8") in book


def test_the_book_is_bounded_and_the_oldest_gives_way() -> None:
    book = AddressBook(capacity=10)
    known = public(25)
    book.add(known)
    assert len(book) == 10
    assert known[14] not in book
    assert known[15] in book


def test_at_most_a_thousand_are_told() -> None:
    book = AddressBook()
    book.add(public(SENT_LIMIT + 500))
    told = book.sample(Random(1))
    assert len(told) == len(set(told)) == SENT_LIMIT
    assert AddressBook().sample(Random(1)) == []


def test_addresses_are_written_as_sockets_are() -> None:
    assert str(address("8.8.8.8")) == "8.8.8.8:16111"
    assert str(address("2001:db8::1")) == "[2001:db8::1]:16111"
