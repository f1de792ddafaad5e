"""Addresses of programs on this machine: what is taken, and how the rest is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.settings.addresses import BadValue
from kaspa_node.settings.local import parse_local, parse_loopback

from .conftest import refusal


@pytest.mark.parametrize(
    "text", ["127.0.0.1:16111", "[::1]:50051", "192.0.2.7:1", "[2001:db8::1]:65535", "unix:/run/kaspad/p2p.sock"]
)
def test_an_address_reads_as_it_was_written(text: str) -> None:
    assert str(parse_local(text)) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no port"),
        ("16111", "has no port"),
        (":16111", "has no port"),
        ("localhost:16111", "has no IP address"),
        ("127.0.0.1", "has no port"),
        ("::1:50051", "has its brackets wrong"),
        ("[127.0.0.1]:1", "has its brackets wrong"),
        ("[::1]", "has no IP address"),
        ("127.0.0.1:0", "has no port from 1 to 65535"),
        ("127.0.0.1:65536", "has no port from 1 to 65535"),
        ("127.0.0.1:١", "has no port from 1 to 65535"),
        ("127.0.0.1:-1", "has no port from 1 to 65535"),
        ("unix:relative.sock", "has no absolute path"),
        ("unix:", "has no absolute path"),
        ("unix:/a\nb", "has no absolute path"),
        ("unix:/" + "a" * 103, "of more than 103 bytes"),
    ],
)
def test_an_address_that_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_local(text)
    assert problem in caught.value.problem


def test_what_is_listened_on_is_for_this_machine_only() -> None:
    for text in ("127.64.0.2:16511", "[::1]:50051", "unix:/run/x.sock"):
        assert str(parse_loopback(text)) == text
    for text in ("0.0.0.0:16111", "[::]:16111", "192.0.2.7:16111"):
        with pytest.raises(BadValue, match="open to the network"):
            parse_loopback(text)


@given(st.text())
def test_any_text_is_taken_or_refused_by_name(text: str) -> None:
    refused = refusal(parse_loopback, text)
    assert refused is None or refused.problem
