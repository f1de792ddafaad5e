"""The attacker, as a process: sends what an attack has at a steady rate, and connects again whenever it is hung up on.

    python -m tests.hostile.attacker '{"attack": "rapid_reset", "target": ["127.0.0.1", 4011], …}'

Prints one line of JSON: bytes sent, connections made, and how many of them the victim ended or refused.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from kaspa_node.p2p.channel.noise import NoiseTransport
from kaspa_node.p2p.channel.upgrade import Upgrade
from tests.hostile import attacks
from tests.unit.p2p.parties import keys

# IP and TCP headers of a connection that is made and reset.
BYTES_OF_A_CALL = 3 * 52
HANDSHAKE_SECONDS = 5.0


@dataclass
class Order:
    """What to do.

    target, peer: the victim's address and id. ips: where to come from, in turn. party, parties: whose identities to
    have, from which number on. rate: bytes a second. connections: at a time, held open together.
    """

    attack: str
    target: tuple[str, int]
    peer: str
    ips: tuple[str, ...] = ("127.0.0.9",)
    party: int = 66
    parties: int = 1
    rate: int = 1 << 20
    seconds: float = 3.0
    connections: int = 1


@dataclass
class Report:
    """What was done."""

    bytes: int = 0
    connections: int = 0
    ended: int = 0
    refused: int = 0


class Ended(Exception):
    """The victim has hung up."""


class Attacker:
    """Carries one order out."""

    def __init__(self, order: Order) -> None:
        self.report = Report()
        self._order = order
        self._keys = [keys(order.party + number) for number in range(order.parties)]
        self._start = time.monotonic()
        self._calls = 0

    def run(self) -> Report:
        """Attack until the time is over."""
        held: list[tuple[socket.socket, Iterator[bytes]]] = []
        while self._left():
            try:
                if self._order.attack == attacks.CALLS:
                    self._call().close()
                    self._pace(None)
                elif self._order.attack == attacks.HANDSHAKES:
                    self._secured()[0].close()
                    self._pace(None)
                elif len(held) < self._order.connections:
                    sock, transport = self._secured()
                    held.append((sock, map(transport.seal, attacks.FRAMES[self._order.attack]())))
                else:
                    self._round(held)
            except ConnectionRefusedError:
                self._pace(None)
            except OSError:
                self.report.refused += 1
                self._pace(None)
        return self.report

    def _round(self, held: list[tuple[socket.socket, Iterator[bytes]]]) -> None:
        for entry in list(held):
            sock, pieces = entry
            try:
                self._send(sock, next(pieces))
                self._pace(sock)
            except (Ended, OSError):
                self.report.ended += 1
                sock.close()
                held.remove(entry)

    def _left(self) -> float:
        return max(0.0, self._start + self._order.seconds - time.monotonic())

    def _call(self) -> socket.socket:
        """A connection from the next address."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(HANDSHAKE_SECONDS)
        sock.bind((self._order.ips[self._calls % len(self._order.ips)], 0))
        self._calls += 1
        self.report.connections += 1
        self.report.bytes += BYTES_OF_A_CALL
        try:
            sock.connect(tuple(self._order.target))
        except OSError:
            sock.close()
            raise
        return sock

    def _secured(self) -> tuple[socket.socket, NoiseTransport]:
        sock = self._call()
        upgrade = Upgrade(self._keys[self._calls % len(self._keys)], initiator=True, expected=self._order.peer)
        try:
            self._send_all(sock, upgrade.opening())
            while not upgrade.done:
                data = sock.recv(65536)
                if not data:
                    raise ConnectionResetError("the victim hung up during the handshake")
                self._send_all(sock, upgrade.receive(data))
        except OSError:
            sock.close()
            raise
        assert upgrade.session is not None
        sock.setblocking(False)
        return sock, upgrade.session

    def _send_all(self, sock: socket.socket, data: bytes) -> None:
        sock.sendall(data)
        self.report.bytes += len(data)

    def _send(self, sock: socket.socket, data: bytes) -> None:
        """Send it, reading what the victim has to say meanwhile, as far as the time allows."""
        view = memoryview(data)
        while view and (left := self._left()):
            readable, writable, _ = select.select([sock], [sock], [], left)
            if readable and not sock.recv(1 << 18):
                raise Ended
            if writable:
                taken = sock.send(view)
                self.report.bytes += taken
                view = view[taken:]

    def _pace(self, sock: socket.socket | None) -> None:
        """Wait until as much time has gone by as the bytes may take, and hear the victim's answers."""
        while self._left():
            early = self.report.bytes / self._order.rate - (time.monotonic() - self._start)
            if early <= 0:
                return
            readable, _, _ = select.select([] if sock is None else [sock], [], [], min(early, self._left()))
            if readable and sock is not None and not sock.recv(1 << 18):
                raise Ended


def main() -> None:
    """Carry out the order of the command line."""
    order = Order(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(Attacker(order).run())))


if __name__ == "__main__":
    main()
