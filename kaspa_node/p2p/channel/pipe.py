"""The byte pipe under a connection: a TCP socket, or a stream of another connection (a relayed circuit)."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Protocol

import trio

from kaspa_node.p2p.errors import ConnectionLost, ConnectionStarved

RECEIVE_BYTES = 64 * 1024


class Pipe(Protocol):
    """Bytes both ways. After `abort` every call raises ConnectionLost."""

    async def receive(self) -> bytes:
        """Some bytes; empty once the remote has ended. Raises ConnectionLost."""
        ...

    def try_send(self, data: bytes | memoryview) -> int:
        """Send what goes out without waiting; returns the number of bytes taken. Raises ConnectionLost."""
        ...

    async def wait_writable(self) -> None:
        """Return once `try_send` may take something. Raises ConnectionLost."""
        ...

    def abort(self) -> None:
        """Give the pipe up at once; idempotent."""
        ...


class SocketPipe:
    """A connected, non-blocking TCP socket.

    It is closed with RST (linger 0): a 4-tuple of the listening port in TIME_WAIT would forbid the next hole punch
    between the same two mappings for a minute.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket = sock

    async def receive(self) -> bytes:
        """Some bytes; empty once the remote has ended."""
        while True:
            try:
                await trio.lowlevel.wait_readable(self._number())
                return self._socket.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except (OSError, ValueError, trio.ClosedResourceError) as error:
                raise _lost(error) from error

    def try_send(self, data: bytes | memoryview) -> int:
        """Send what goes out without waiting."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise _lost(error) from error

    async def wait_writable(self) -> None:
        """Return once the socket takes more."""
        try:
            await trio.lowlevel.wait_writable(self._number())
        except (OSError, ValueError, trio.ClosedResourceError) as error:
            raise _lost(error) from error

    def _number(self) -> int:
        # trio remembers who waits for which number, -1 of a closed socket included: that is not for two to share.
        number = self._socket.fileno()
        if number < 0:
            raise ConnectionLost("closed here")
        return number

    def abort(self) -> None:
        """Close the socket with RST."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket.fileno())
            self._socket.close()


def _lost(error: BaseException) -> ConnectionLost:
    if isinstance(error, OSError) and error.strerror:
        return (ConnectionStarved if error.errno == errno.ETIMEDOUT else ConnectionLost)(error.strerror)
    return ConnectionLost("closed here")
