"""Socket addresses, their multiaddrs, and which of them are worth a dial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from kaspa_node.p2p import addresses
from kaspa_node.p2p.addresses import Leg, SocketAddress
from tests.unit.p2p.parties import peer_id

REMOTE, OTHER = peer_id(1), peer_id(2)
RSA = "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"
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
    assert addresses.decode(address.encode(), REMOTE) == address


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/203.0.113.20/udp/4012",
        "/ip4/203.0.113.20/udp/4012/quic-v1",
        "/dns4/relay.example/tcp/4011",
        "/ip4/203.0.113.20/tcp/4012/ws",
        "/ip4/203.0.113.20/tcp/4012/tls",
        f"/ip4/203.0.113.20/tcp/4012/ws/p2p/{REMOTE}",
        f"/ip4/203.0.113.20/tcp/4012/p2p/{OTHER}",
        f"/ip4/203.0.113.20/tcp/4012/p2p/{RSA}",
        f"/ip4/203.0.113.10/tcp/4011/p2p/{OTHER}/p2p-circuit",
        f"/ip4/203.0.113.10/tcp/4011/p2p/{REMOTE}/p2p-circuit",
        f"/ip4/203.0.113.10/tcp/4011/p2p/{OTHER}/p2p-circuit/p2p/{REMOTE}",
        f"/p2p/{REMOTE}",
    ],
)
def test_other_kinds_are_skipped(text: str) -> None:
    assert addresses.decode(Multiaddr(text).to_bytes(), REMOTE) is None


@pytest.mark.parametrize("remote", [REMOTE, RSA])
@pytest.mark.parametrize("address", [PUBLIC, PUBLIC6])
def test_an_address_may_end_with_the_id_of_the_peer_that_is_reached_there(address: SocketAddress, remote: str) -> None:
    """rust-libp2p ends every address of a hole punch so."""
    raw = Multiaddr(f"{address.multiaddr()}/p2p/{remote}").to_bytes()
    assert addresses.decode(raw, remote) == address
    assert addresses.decode_all([raw, address.encode()], remote) == (address,)
    assert [addresses.decode(raw[:cut], remote) for cut in range(len(address.encode()) + 1, len(raw))] == [None] * (
        len(raw) - len(address.encode()) - 1
    )
    assert addresses.decode(raw + b"\0", remote) is None


def test_the_address_of_a_circuit_is_libp2ps_and_no_tcp_address() -> None:
    raw = addresses.encode_circuit(PUBLIC, OTHER)
    assert raw == Multiaddr(f"/ip4/203.0.113.20/tcp/4012/p2p/{OTHER}/p2p-circuit").to_bytes()
    assert addresses.decode(raw, OTHER) is None
    assert addresses.decode(raw, REMOTE) is None


@given(st.binary(max_size=70))
def test_arbitrary_bytes_are_an_address_or_none(raw: bytes) -> None:
    address = addresses.decode(raw, REMOTE)
    assert address is None or raw.startswith(address.encode())


@given(st.binary(max_size=50), st.sampled_from([PUBLIC, PUBLIC6]))
def test_arbitrary_bytes_after_an_address_make_it_another_kind(tail: bytes, address: SocketAddress) -> None:
    assert addresses.decode(address.encode() + tail, REMOTE) == (address if not tail else None)


def test_addresses_of_a_remote_are_few_and_different() -> None:
    ports = [SocketAddress("203.0.113.20", port).encode() for port in range(1, 40)]
    found = addresses.decode_all([b"junk", *ports, *ports], REMOTE, most=16)
    assert [address.port for address in found] == list(range(1, 17))
    assert addresses.decode_all([PUBLIC.encode()] * 3, REMOTE) == (PUBLIC,)


def test_port_zero_can_not_be_dialed() -> None:
    assert addresses.decode_all([SocketAddress("203.0.113.20", 0).encode()], REMOTE) == ()


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


PUBLIC_RELAY = Leg(SocketAddress("192.168.7.2", 4012), SocketAddress("203.0.113.10", 4011))


@pytest.mark.parametrize("private", ["192.168.7.1", "192.168.1.1", "10.0.0.1", "127.0.0.1", "169.254.1.1", "fd00::1"])
def test_through_a_public_relay_nobody_is_made_to_dial_into_its_own_lan(private: str) -> None:
    assert addresses.reachable((PUBLIC, SocketAddress(private, 22)), PUBLIC_RELAY) == (PUBLIC,)


@pytest.mark.parametrize(
    ("local", "relay", "private", "dialed"),
    [
        ("192.168.7.2", "192.168.7.10", "192.168.7.1", True),
        ("192.168.7.2", "10.0.0.10", "10.0.0.30", True),
        ("192.168.7.2", "10.0.0.10", "192.168.7.1", True),
        ("192.168.7.2", "10.0.0.10", "172.16.0.1", False),
        ("127.0.0.1", "127.0.0.1", "127.64.0.1", True),
        ("127.0.0.1", "127.0.0.1", "192.168.7.1", False),
        ("fd00::2", "fd00::10", "fd00::1", True),
        ("fd00::2", "fd00::10", "192.168.7.1", False),
        ("192.168.7.2", "192.168.7.10", "224.0.0.1", False),
    ],
)
def test_private_addresses_are_dialed_in_a_network_that_this_side_shares_with_the_relay(
    local: str, relay: str, private: str, dialed: bool
) -> None:
    leg = Leg(SocketAddress(local, 4012), SocketAddress(relay, 4011))
    target = SocketAddress(private, 4012)
    assert addresses.reachable((target, PUBLIC), leg) == ((target, PUBLIC) if dialed else (PUBLIC,))


def test_a_remote_has_no_more_than_a_few_addresses_dialed() -> None:
    many = [SocketAddress("198.51.100.1", port) for port in range(1, 300)]
    assert addresses.reachable(many, PUBLIC_RELAY) == tuple(many[: addresses.MAX_TARGETS])
