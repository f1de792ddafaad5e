"""What a connection asks for, read from its first bytes; whatever these are, an answer or a refusal."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.forwarder import Refused, http_host, server_name


def client_hello(name: str | None) -> bytes:
    """What Python's own TLS client says first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_the_server_name_of_a_client_hello() -> None:
    assert server_name(client_hello("packages.example")) == "packages.example"


def test_tls_without_a_server_name_is_refused() -> None:
    with pytest.raises(Refused, match="without a server name"):
        server_name(client_hello(None))


@given(st.binary(max_size=300), st.integers(0, 520))
def test_garbage_is_refused(noise: bytes, cut: int) -> None:
    for head in (noise, b"\x16\x03\x01" + noise, client_hello("packages.example")[:cut] + noise):
        try:
            assert isinstance(server_name(head), str)
        except Refused:
            continue


@pytest.mark.parametrize("value", ["packages.example", "packages.example:80", " packages.example "])
def test_the_host_of_a_request(value: str) -> None:
    assert http_host(f"GET / HTTP/1.1\r\nAccept: */*\r\nHOST:{value}\r\n\r\n".encode()) == "packages.example"


def test_a_request_without_host_is_refused() -> None:
    with pytest.raises(Refused, match="without Host"):
        http_host(b"GET http://packages.example/ HTTP/1.0\r\n\r\n")
