"""Sockets to other programs of this machine: their names, and places that can't be had."""

from __future__ import annotations

import socket
import struct
import tempfile
from pathlib import Path

import pytest
import trio

from kaspa_node.errors import ListenError
from kaspa_node.node.backends import local_sockets
from kaspa_node.settings.values import LocalAddress

pytestmark = pytest.mark.trio


def address_of(listener: trio.SocketListener) -> LocalAddress:
    host, port, *_ = listener.socket.getsockname()
    return LocalAddress(host=host, port=port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_both_ends_name_each_other(host: str) -> None:
    with local_sockets.listening(LocalAddress(host=host), "x") as listener:
        async with await local_sockets.connect(address_of(listener)) as ours, await listener.accept() as theirs:
            assert local_sockets.own_name(ours) == local_sockets.caller_name(theirs)
            assert local_sockets.caller_name(ours) == str(address_of(listener))


async def test_a_caller_that_has_hung_up_has_no_name() -> None:
    with local_sockets.listening(LocalAddress(host="127.0.0.1"), "x") as listener:
        ours = await local_sockets.connect(address_of(listener))
        async with await listener.accept() as theirs:
            ours.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ours.socket.close()
            with pytest.raises(trio.BrokenResourceError):
                await theirs.receive_some()
            assert local_sockets.caller_name(theirs) == "gone"


async def test_a_caller_that_is_aborted_sees_an_error() -> None:
    with local_sockets.listening(LocalAddress(host="127.0.0.1"), "x") as listener:
        async with await local_sockets.connect(address_of(listener)) as ours:
            local_sockets.abort(await listener.accept())
            with pytest.raises(trio.BrokenResourceError):
                await ours.receive_some()


async def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = LocalAddress(host="127.0.0.1", port=other.getsockname()[1])
        with (
            pytest.raises(ListenError, match="the port is in use; stop the other program, or set x to another address"),
            local_sockets.listening(address, "x"),
        ):
            pass


async def test_a_unix_socket_that_is_taken() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="kn") as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other,
    ):
        path = Path(directory) / "s"
        other.bind(str(path))
        other.listen()
        with (
            pytest.raises(
                ListenError,
                match=f"unix:{path}: another program listens there; stop it, or set x to another address",
            ),
            local_sockets.listening(LocalAddress(path=path), "x"),
        ):
            pass


@pytest.mark.parametrize(("directory_mode", "mode"), [(0o770, 0o600), (0o2770, 0o660)])
async def test_a_unix_socket_is_for_the_group_where_its_directory_says_so(directory_mode: int, mode: int) -> None:
    with tempfile.TemporaryDirectory(prefix="kn") as directory:
        path = Path(directory) / "s"
        path.parent.chmod(directory_mode)
        with local_sockets.listening(LocalAddress(path=path), "x"):
            assert path.stat().st_mode & 0o777 == mode
