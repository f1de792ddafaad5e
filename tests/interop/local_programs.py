"""The programs beside our peers: an echo behind the external backend, and a caller at the local forward.

Both use unix sockets, which no network namespace hides.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from pathlib import Path

PATIENCE = 180.0
CHUNK = 1 << 18


class EchoBackend:
    """Sends everything back, on each connection.

    ended: when connections ended so far, on the monotonic clock. received: bytes of all connections.
    """

    def __init__(self, path: Path) -> None:
        self.ended: list[float] = []
        self.received = 0
        self._changed = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(path))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(CHUNK):
                    with self._changed:
                        self.received += len(data)
                        self._changed.notify_all()
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        with self._changed:
            self.ended.append(time.monotonic())
            self._changed.notify_all()

    def wait_received(self, count: int) -> None:
        """Return once that many bytes are there."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.received >= count, PATIENCE), "nothing came"

    def wait_ended(self, count: int) -> float:
        """When the connection after the first `count` ended, once it has."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ended) > count, PATIENCE), "the connection did not end"
            return self.ended[count]

    def close(self) -> None:
        """Listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Broken(Exception):
    """The connection ended before everything was back. received: bytes until then."""

    def __init__(self, received: int) -> None:
        super().__init__(f"the connection ended after {received} bytes")
        self.received = received


def call(path: Path) -> socket.socket:
    """A connection to the local forward."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(os.fspath(path))
    return connection


def echo(path: Path, size: int) -> float:
    """Send random bytes through the local forward and compare the hash of what comes back; returns seconds.

    Raises Broken.
    """
    data = os.urandom(size)
    start = time.monotonic()
    with call(path) as connection:
        sender = threading.Thread(target=_send, args=(connection, data), daemon=True)
        sender.start()
        back, received = hashlib.sha256(), 0
        try:
            while chunk := connection.recv(CHUNK):
                back.update(chunk)
                received += len(chunk)
        except ConnectionError as error:
            raise Broken(received) from error
        finally:
            sender.join(PATIENCE)
    if received < size:
        raise Broken(received)
    assert back.digest() == hashlib.sha256(data).digest()
    return time.monotonic() - start


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        # The reader sees it, too, and reports it.
        return
