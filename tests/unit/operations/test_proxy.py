"""A command as a connection."""

from __future__ import annotations

from operations.proxy import Proxy


def test_its_input_and_output_are_the_connection() -> None:
    proxy = Proxy("sh -c 'echo %h %p %r 100%%; exec cat'", "host", 22, "admin")
    proxy.socket.sendall(b"hello\n")
    received = b""
    while received.count(b"\n") < 2:
        received += proxy.socket.recv(100)
    assert received == b"host 22 admin 100%\nhello\n"
    proxy.close()
    assert proxy.complaint() == ""


def test_what_it_says_when_it_fails() -> None:
    proxy = Proxy("sh -c 'echo first >&2; echo the lab is not up >&2; exit 255'", "host", 22, "admin")
    assert proxy.socket.recv(100) == b""
    assert proxy.complaint() == "the lab is not up"
    proxy.close()


def test_one_that_does_not_end_by_itself_is_ended() -> None:
    proxy = Proxy("sleep 1000", "host", 22, "admin")
    proxy.close()
    assert proxy._process.poll() is not None
