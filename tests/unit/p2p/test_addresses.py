"""Socket addresses, their multiaddrs, and which of them are worth a dial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from kaspa_node.p2p import addresses
from kaspa_node.p2p.addresses import SocketAddress

PUBLIC = SocketAddress("203.0.113.20", 4012)
PUBLIC6 = SocketAddress("2001:db9::1", 4012)
PRIVATE = SocketAddress("10.1.0.2", 4012)


@pytest.mark.parametrize(
    ("address", "text", "multiaddr"),
    [
        (PUBLIC, "203.0.113.20:4012", "/ip4/203.0.113.20/tcp/4012"),
        (PUBLIC6, "[2001:db9::1]:4012", "/ip6/2001:db9::1/tcp/4012"),
    ],
)
def test_an_address_in_its_forms(address: SocketAddress, text: str, multiaddr: str) -> None:
    assert str(address) == text
    assert address.multiaddr() == multiaddr
    assert address.encode() == Multiaddr(multiaddr).to_bytes()
    assert addresses.decode(address.encode()) == address


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/203.0.113.20/udp/4012",
        "/ip4/203.0.113.20/udp/4012/quic-v1",
        "/dns4/relay.example/tcp/4011",
        "/ip4/203.0.113.10/tcp/4011/p2p/12D3KooWR2KSRQWyanR1dPvnZkXt296xgf3FFn8135szya3zYYwY",
        "/ip4/203.0.113.10/tcp/4011/ws",
    ],
)
def test_other_kinds_are_skipped(text: str) -> None:
    assert addresses.decode(Multiaddr(text).to_bytes()) is None


@given(st.binary(max_size=30))
def test_arbitrary_bytes_are_an_address_or_none(raw: bytes) -> None:
    address = addresses.decode(raw)
    assert address is None or address.encode() == raw


def test_addresses_of_a_remote_are_few_and_different() -> None:
    ports = [SocketAddress("203.0.113.20", port).encode() for port in range(1, 40)]
    found = addresses.decode_all([b"junk", *ports, *ports], most=16)
    assert [address.port for address in found] == list(range(1, 17))
    assert addresses.decode_all([PUBLIC.encode()] * 3) == (PUBLIC,)


def test_port_zero_can_not_be_dialed() -> None:
    assert addresses.decode_all([SocketAddress("203.0.113.20", 0).encode()]) == ()


@pytest.mark.parametrize(
    "ip",
    ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.1",
     "0.0.0.0", "0.1.2.3", "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff02::1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_addresses_that_packets_from_anywhere_do_not_reach(ip: str) -> None:
    assert not addresses.is_public(SocketAddress(ip, 1))


@pytest.mark.parametrize("ip", ["203.0.113.20", "198.51.100.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db9::1"])
def test_public_addresses_and_the_documentation_networks_of_a_laboratory(ip: str) -> None:
    assert addresses.is_public(SocketAddress(ip, 1))


def test_private_addresses_are_dialed_only_from_within_private_networks() -> None:
    theirs = (PUBLIC, PRIVATE)
    assert addresses.reachable(theirs, [SocketAddress("203.0.113.30", 1)]) == (PUBLIC,)
    assert addresses.reachable(theirs, [SocketAddress("192.168.7.1", 1)]) == theirs
    assert addresses.reachable(theirs, []) == (PUBLIC,)
