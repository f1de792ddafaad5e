"""Multiaddrs and peer ids as people write them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.settings import addresses
from kaspa_node.settings.addresses import BadValue
from kaspa_node.settings.values import RelayAddress, TcpAddress

from .conftest import RELAY, RELAY_ID, SERVER_ID, refusal

PARSERS = (
    addresses.parse_listen,
    addresses.parse_external,
    addresses.parse_relay,
    addresses.parse_circuit,
    addresses.parse_peer_id,
)
PIECES = st.sampled_from(
    ["", "/", "ip4", "ip6", "dns4", "tcp", "udp", "p2p", "p2p-circuit", "127.0.0.1", "::1", "a.b", "4011", "65536"]
    + ["-1", "00000", "٣", RELAY_ID, RELAY_ID[:-1], "Qm", "\x00", "\n", "ip6zone", "quic-v1", "unix", "ws"]
    + ["dns", "dns6"]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=9).map("/".join)))
def test_every_text_is_parsed_or_refused_by_name(text: str) -> None:
    for parse in PARSERS:
        refused = refusal(parse, text)
        assert refused is None or (refused.problem and refused.expected)


@given(
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(1, 65535), st.sampled_from(["", "/p2p-circuit"])
)
def test_addresses_survive_parsing(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, circuit: str
) -> None:
    text = f"/ip{address.version}/{address}/tcp/{port}"
    for found in (addresses.parse_listen(text), addresses.parse_external(text)):
        assert ipaddress.ip_address(found.host) == address
        assert (found.port, found.family) == (port, f"ip{address.version}")
        assert addresses.parse_external(found.addr) == found
    relay = addresses.parse_relay(f"{text}/p2p/{RELAY_ID}{circuit}")
    assert (relay.port, relay.peer_id) == (port, RELAY_ID)
    assert addresses.parse_circuit(relay.circuit_to(SERVER_ID)) == (relay, SERVER_ID)


@pytest.mark.parametrize("family", ["dns", "dns4", "dns6"])
def test_a_name_is_kept_with_its_family(family: str) -> None:
    address = addresses.parse_external(f"/{family}/relay.example.org/tcp/4011")
    assert address == TcpAddress(f"/{family}/relay.example.org/tcp/4011", "relay.example.org", 4011)
    relay = addresses.parse_relay(f"{address}/p2p/{RELAY_ID}")
    assert (address.family, relay.family) == (family, family)


def test_a_circuit_names_the_relay_and_perhaps_the_far_end() -> None:
    relay = RelayAddress(RELAY, "203.0.113.10", 4011, RELAY_ID)
    assert addresses.parse_circuit(RELAY) == (relay, None)
    assert addresses.parse_circuit(f"{RELAY}/p2p-circuit") == (relay, None)
    assert addresses.parse_circuit(f"{RELAY}/p2p-circuit/p2p/{SERVER_ID}") == (relay, SERVER_ID)


def test_the_system_may_choose_a_port_to_listen_on_but_not_one_to_dial() -> None:
    assert addresses.parse_listen("/ip4/127.0.0.1/tcp/0").port == 0
    with pytest.raises(BadValue, match="port 0"):
        addresses.parse_external("/ip4/127.0.0.1/tcp/0")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("127.0.0.1:4012", "does not begin with /"),
        ("", "does not begin with /"),
        ("/udp/4012", "only /ip4, /ip6, /dns, /dns4 and /dns6"),
        ("/dnsaddr/relay.example.org/tcp/4012", "only /ip4, /ip6, /dns, /dns4 and /dns6"),
        ("/ip4/1.2.3/tcp/4012", "'1.2.3' is not IPv4"),
        ("/ip4/1.2.3.4", "only TCP"),
        ("/ip4/1.2.3.4/udp/4012", "only TCP"),
        ("/ip4/1.2.3.4/tcp", "missing value"),
        ("/ip4/1.2.3.4/tcp/65536", "port 65536, which is above 65535"),
        ("/ip4/1.2.3.4/tcp/-1", 'port "-1", which is not a number'),
        ("/ip4/1.2.3.4/tcp/http", 'port "http", which is not a number'),
        ("/ip4/1.2.3.4/tcp/4012/ws", "goes on with /ws"),
        ("/dns/relay.example.org/tcp/4012", "is a name"),
        ("/dns4/relay.example.org/tcp/4012", "is a name"),
        ("/dns6/relay.example.org/tcp/4012", "is a name"),
        (f"{RELAY}/p2p-circuit", "which belongs in `relays`"),
        (RELAY, "goes on with /p2p"),
    ],
)
def test_listen_addresses_that_are_refused(text: str, problem: str) -> None:
    with pytest.raises(BadValue) as caught:
        addresses.parse_listen(text)
    assert problem in caught.value.problem
    assert caught.value.value == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("/ip4/203.0.113.10/tcp/4011", "does not name the relay's peer id"),
        ("/ip4/203.0.113.10/tcp/4011/p2p-circuit", "does not name the relay's peer id"),
        (f"/ip4/203.0.113.10/tcp/4011/p2p/{RELAY_ID[:-1]}", "is not a complete Ed25519 peer id"),
        ("/ip4/203.0.113.10/tcp/4011/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "not an Ed25519 peer id"),
        (f"{RELAY}/p2p-circuit/p2p/{SERVER_ID}", "goes on beyond the relay"),
        (f"{RELAY}/p2p/{SERVER_ID}", "goes on with /p2p"),
    ],
)
def test_relay_addresses_that_are_refused(text: str, problem: str) -> None:
    with pytest.raises(BadValue) as caught:
        addresses.parse_relay(text)
    assert problem in caught.value.problem


@pytest.mark.parametrize("text", ["", "server", RELAY_ID[:-1], RELAY_ID + "1", f" {RELAY_ID}", RELAY_ID.lower(), "١"])
def test_peer_ids_that_are_refused(text: str) -> None:
    with pytest.raises(BadValue) as caught:
        addresses.parse_peer_id(text)
    assert "12D3KooW" in caught.value.expected


def test_a_peer_id_cut_by_one_character_is_told_from_foreign_ones() -> None:
    with pytest.raises(BadValue, match="is not a complete Ed25519 peer id"):
        addresses.parse_peer_id(RELAY_ID[:-1])
