"""Socket addresses for peers that have none."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.kaspa.synthetic import host_of, is_synthetic, socket_address

PEER = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"


@given(st.text(max_size=60), st.sampled_from(["direct", "relayed"]))
def test_it_is_a_private_ipv6_socket_address_with_a_high_port(peer: str, path: str) -> None:
    text = socket_address(peer, path)
    host, _, port = text.rpartition(":")
    ip = ipaddress.ip_address(host.strip("[]"))
    assert ip.is_private
    assert str(ip).startswith("fdff::")
    assert 32768 <= int(port) <= 65535
    assert is_synthetic(text)


def test_it_never_changes() -> None:
    """The text stands in logs and peers' address keys: another release must make the same one."""
    assert socket_address(PEER, "direct") == "[fdff::2185:9d3d:f421:1f50]:56845"


def test_each_path_has_its_own() -> None:
    assert host_of(socket_address(PEER, "direct")) != host_of(socket_address(PEER, "relayed"))


def test_real_addresses_are_not_synthetic() -> None:
    for text in ("203.0.113.30:4012", "[2001:db8::1]:4012", "127.0.0.1:1", "localhost:1", "", "["):
        assert not is_synthetic(text)


def test_hosts_of_socket_addresses() -> None:
    assert host_of("203.0.113.30:4012") == "203.0.113.30"
    assert host_of("[fdff::1]:4012") == "fdff::1"
    assert host_of("fdff::1") == "fdff::1"
    assert host_of("host") == "host"
