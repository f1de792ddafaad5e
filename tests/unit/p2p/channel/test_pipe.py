"""The pipe over a socket, when the socket is closed under it."""

from __future__ import annotations

import socket

import pytest
import trio

from kaspa_node.p2p.channel.pipe import SocketPipe
from kaspa_node.p2p.errors import ConnectionLost

pytestmark = [pytest.mark.trio, pytest.mark.network]


def pipes() -> tuple[SocketPipe, SocketPipe]:
    """Both ends of a TCP connection on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = socket.create_connection(listener.getsockname())
        there, _ = listener.accept()
    for sock in (here, there):
        sock.setblocking(False)
    return SocketPipe(here), SocketPipe(there)


async def test_after_abort_every_call_says_that_it_is_over() -> None:
    # Several closed pipes have the same file number, -1, for which trio would let only one task wait.
    for here, there in (pipes(), pipes()):
        here.abort()
        here.abort()
        with pytest.raises(ConnectionLost):
            await here.receive()
        with pytest.raises(ConnectionLost):
            await here.wait_writable()
        with pytest.raises(ConnectionLost):
            here.try_send(b"x")
        with pytest.raises(ConnectionLost, match="reset by peer"):
            await there.receive()
        there.abort()


async def test_bytes_arrive_and_the_end_is_a_reset() -> None:
    here, there = pipes()
    assert here.try_send(b"hello") == 5
    assert await there.receive() == b"hello"
    here.abort()
    with pytest.raises(ConnectionLost):
        await there.receive()
    there.abort()


async def test_a_full_socket_takes_no_more_until_it_is_read() -> None:
    here, there = pipes()
    while here.try_send(bytes(1 << 20)):
        pass
    assert here.try_send(b"x") == 0

    async def read() -> None:
        while True:
            await there.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await here.wait_writable()
        assert here.try_send(b"x") == 1
        nursery.cancel_scope.cancel()
    here.abort()
    there.abort()
