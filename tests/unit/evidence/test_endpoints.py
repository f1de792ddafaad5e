from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.evidence.endpoints import Endpoint, canonical_ip, parse_endpoint


@pytest.mark.parametrize(
    ("text", "ip", "port"),
    [
        ("10.1.0.2:4012", "10.1.0.2", 4012),
        ("10.1.0.2%eth0:68", "10.1.0.2", 68),
        ("[fd00:0:0::1]:4012", "fd00::1", 4012),
        ("[fe80::1%eth0]:1", "fe80::1", 1),
        ("[::ffff:10.1.0.2]:4012", "10.1.0.2", 4012),
        ("/ip4/203.0.113.30/tcp/4012", "203.0.113.30", 4012),
        ("/ip6/fd00::1/tcp/4012/p2p/12D3KooWPC7iF5f59UFdRFEUfNprqjshtWcevpHm3N9VxD8ArxYW", "fd00::1", 4012),
    ],
)
def test_each_way_of_writing_is_read(text: str, ip: str, port: int) -> None:
    assert parse_endpoint(text) == Endpoint(ip, port)


@pytest.mark.parametrize(
    "text",
    ["", "10.1.0.2", "10.1.0.2:0", "10.1.0.2:65536", "10.1.0.300:1", "fd00::1:4012", "10.1.0.2:4012 ", "0.0.0.0:*"],
)
def test_what_is_no_endpoint_is_none(text: str) -> None:
    assert parse_endpoint(text) is None


def test_an_endpoint_is_written_with_brackets_where_needed() -> None:
    assert str(Endpoint("fd00::1", 1)) == "[fd00::1]:1"
    assert str(Endpoint("10.1.0.2", 1)) == "10.1.0.2:1"


@given(st.ip_addresses(), st.integers(1, 65535))
def test_what_is_written_is_read_back(ip: object, port: int) -> None:
    endpoint = Endpoint(canonical_ip(str(ip)) or "", port)
    assert parse_endpoint(str(endpoint)) == endpoint


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert parse_endpoint(text) is None or True
    assert canonical_ip(text) is None or True
