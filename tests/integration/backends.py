"""Other programs beside a node: a backend that echoes, on TCP or a unix socket, and callers at a node's forward."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

PATIENCE = 30.0
CHUNK = 1 << 18


def open_socket(address: str) -> tuple[socket.socket, object]:
    """A socket for `unix:PATH`, `IP:PORT` or `[IP]:PORT`, and the name to bind or connect it to."""
    if address.startswith("unix:"):
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), address.removeprefix("unix:")
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    return socket.socket(family, socket.SOCK_STREAM), (host.strip("[]"), int(port))


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def call(address: str) -> socket.socket:
    """A connection to a node's forward."""
    sock, name = open_socket(address)
    sock.settimeout(PATIENCE)
    sock.connect(name)  # type: ignore[arg-type]
    return sock


def abort(sock: socket.socket) -> None:
    """Close as the kernel does for a killed program that has not read everything."""
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def break_off(sock: socket.socket) -> None:
    """End a socket on which another thread waits: by close() alone that thread would keep it open."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def rest_of(sock: socket.socket) -> bytes:
    """Everything until the end, be it abrupt."""
    pieces = []
    with suppress(ConnectionError):
        while data := sock.recv(CHUNK):
            pieces.append(data)
    return b"".join(pieces)


def exchange(address: str, data: bytes) -> bytes:
    """What a connection gives back for `data`, all of it sent before the end is told."""
    with call(address) as sock:

        def send() -> None:
            with suppress(ConnectionError):
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        found = rest_of(sock)
        sender.join(PATIENCE)
        return found


class Echo:
    """A backend that sends everything back. callers: their sockets, in the order in which they came."""

    def __init__(self, address: str) -> None:
        self.callers: list[socket.socket] = []
        self.ended = 0
        self._change = threading.Condition()
        self._listener, name = open_socket(address)
        if isinstance(name, str):
            Path(name).unlink(missing_ok=True)
        else:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(name)  # type: ignore[arg-type]
        self._listener.listen()
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()
                with self._change:
                    self.callers.append(sock)
                    self._change.notify_all()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            while data := sock.recv(CHUNK):
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        with self._change:
            self.ended += 1
            self._change.notify_all()

    def wait_for(self, *, callers: int = 0, ended: int = 0) -> None:
        """Until so many have come, and so many of them are gone."""
        with self._change:
            done = self._change.wait_for(lambda: len(self.callers) >= callers and self.ended >= ended, PATIENCE)
        assert done, f"{len(self.callers)} came, {self.ended} ended"

    def stop(self) -> None:
        """Refuse from now on, and break off what stands."""
        # accept() in the other thread returns only by this, not by close().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self.callers:
            break_off(sock)
