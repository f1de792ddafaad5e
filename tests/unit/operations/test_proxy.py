"""A command as a connection."""

from __future__ import annotations

from operations.proxy import Proxy


def test_its_input_and_output_are_the_connection() -> None:
    proxy = Proxy("sh -c 'echo host 22; exec cat'")
    proxy.socket.sendall(b"hello\n")
    received = b""
    while received.count(b"\n") < 2:
        received += proxy.socket.recv(100)
    assert received == b"host 22\nhello\n"
    assert proxy.complaint() == ""
    proxy.close()


def test_what_it_says_when_it_fails() -> None:
    proxy = Proxy("sh -c 'echo first >&2; echo the lab is not up >&2; exit 255'")
    assert proxy.socket.recv(100) == b""
    assert proxy.complaint() == "the lab is not up"
    proxy.close()


def test_one_that_does_not_end_by_itself_is_ended() -> None:
    proxy = Proxy("sleep 1000")
    proxy.close()
    assert proxy._process.poll() is not None
