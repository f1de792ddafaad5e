"""Sockets between this program and others of the same machine: TCP or unix."""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from kaspa_node.control import endpoint
from kaspa_node.errors import AlreadyRunning, ListenError
from kaspa_node.settings.values import LocalAddress

_BACKLOG = 128


async def connect(address: LocalAddress) -> trio.SocketStream:
    """A connection to the program that listens at `address`. Raises OSError."""
    raw = trio.socket.socket(_family(address), socket.SOCK_STREAM)
    connected = False
    try:
        await raw.connect(_name(address))
        connected = True
    finally:
        if not connected:
            raw.close()
    return trio.SocketStream(raw)


@contextmanager
def listening(address: LocalAddress, setting: str) -> Iterator[trio.SocketListener]:
    """A listening socket; that of a unix path has mode 0600 and is removed at the end.

    In a directory with the setgid bit, what is made belongs to the directory's group: there the mode is 0660.

    setting: what to change if the address can't be used. Raises ListenError.
    """
    if address.path is not None:
        try:
            with endpoint.listening(address.path) as server:
                if address.path.parent.stat().st_mode & stat.S_ISGID:
                    address.path.chmod(0o660)
                yield trio.SocketListener(trio.socket.from_stdlib_socket(server))
        except AlreadyRunning as error:
            problem = "another program listens there"
            raise ListenError(str(address), problem, f"stop it, or set {setting} to another address") from error
        except ListenError as error:
            raise ListenError(str(address), error.problem, f"set {setting} to another address") from error
        return
    with _bound(address, setting) as server:
        yield trio.SocketListener(trio.socket.from_stdlib_socket(server))


def _bound(address: LocalAddress, setting: str) -> socket.socket:
    server = socket.socket(_family(address), socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(_name(address))
        server.listen(_BACKLOG)
        server.setblocking(False)
    except OSError as error:
        server.close()
        in_use = error.errno == errno.EADDRINUSE
        problem = "the port is in use" if in_use else (error.strerror or str(error)).lower()
        remedy = f"{'stop the other program, or ' if in_use else ''}set {setting} to another address"
        raise ListenError(str(address), problem, remedy) from error
    return server


def abort(local: trio.SocketStream) -> None:
    """Close so that a TCP program at the other end sees an error, not an orderly end."""
    if local.socket.family != socket.AF_UNIX:
        local.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    local.socket.close()


def own_name(local: trio.SocketStream) -> str:
    """The address of this end, as the program at the other end shows it."""
    return _shown(local.socket.getsockname())


def caller_name(local: trio.SocketStream) -> str:
    """The address of the other end, as the program there shows it."""
    try:
        return _shown(local.socket.getpeername())
    except OSError:
        # It has hung up meanwhile. The next read shows that.
        return "gone"


def _shown(name: object) -> str:
    if isinstance(name, tuple):
        return str(LocalAddress(host=str(name[0]), port=int(name[1])))
    return "unix"


def _family(address: LocalAddress) -> int:
    if address.path is not None:
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET


def _name(address: LocalAddress) -> str | tuple[str, int]:
    return os.fspath(address.path) if address.path is not None else (address.host, address.port)
