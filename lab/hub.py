"""The public segment: a hub in user space that forwards frames between interfaces and delays them.

Not every kernel has netem, so this is a program. One process, one loop, a heap of waiting frames. Frames
keep their order for each pair of ports. Sockets carry virtio-net headers (packet(7), PACKET_VNET_HDR), so large
segments and checksums that the kernel has left to the hardware pass unchanged, and offloads can stay on.
"""

from __future__ import annotations

import argparse
import heapq
import os
import random
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

ETH_P_ALL = 0x0003
ETH_P_ARP = b"\x08\x06"
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_OUTGOING = 4
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
VNET_HEADER = 10
FRAME_LIMIT = 70_000
QUEUE_LIMIT = 20_000
"""The most frames in transit: a second of a fast link; more are lost, as in any full router."""

BUFFER = 8 << 20


@dataclass
class Schedule:
    """Decides which frame leaves by which port, and when. Times in seconds; no socket and no clock.

    `delays` has a share for each port: a frame from A to B is delayed by delays[A] + delays[B].
    A port in `undelayed` has no delay, and neither has ARP: the segment represents the Internet, where the first packet
    to an address takes no longer than the next.
    """

    delays: dict[str, float]
    undelayed: frozenset[str] = frozenset()
    jitter: float = 0.0
    random: random.Random = field(default_factory=random.Random)
    _ports: dict[bytes, str] = field(default_factory=dict)
    _queue: list[tuple[float, int, str, bytes]] = field(default_factory=list)
    _last: dict[tuple[str, str], float] = field(default_factory=dict)
    _sequence: int = 0
    dropped: int = 0

    def receive(self, port: str, frame: bytes, now: float) -> None:
        """A frame (virtio-net header before it) has come in by `port`."""
        destination, source = frame[VNET_HEADER : VNET_HEADER + 6], frame[VNET_HEADER + 6 : VNET_HEADER + 12]
        self._ports[source] = port
        known = self._ports.get(destination)
        at_once = port in self.undelayed or frame[VNET_HEADER + 12 : VNET_HEADER + 14] == ETH_P_ARP
        for out in [known] if known else list(self.delays):
            if out == port:
                continue
            if at_once or out in self.undelayed:
                self._push(out, frame, now)
            else:
                self._push(out, frame, self._late(port, out, now))

    def _late(self, port: str, out: str, now: float) -> float:
        due = now + self.delays[port] + self.delays[out]
        if self.jitter:
            due += self.random.uniform(0, self.jitter)
        due = max(due, self._last.get((port, out), 0.0))
        self._last[(port, out)] = due
        return due

    def _push(self, out: str, frame: bytes, due: float) -> None:
        if len(self._queue) >= QUEUE_LIMIT:
            self.dropped += 1
            return
        self._sequence += 1
        heapq.heappush(self._queue, (due, self._sequence, out, frame))

    def due(self, now: float) -> list[tuple[str, bytes]]:
        """The frames that must leave now, in order."""
        result = []
        while self._queue and self._queue[0][0] <= now:
            _, _, out, frame = heapq.heappop(self._queue)
            result.append((out, frame))
        return result

    def next_due(self) -> float | None:
        return self._queue[0][0] if self._queue else None


def open_port(interface: str) -> socket.socket:
    """A packet socket on `interface` that does not block and keeps offload information."""
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    for forced, option in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            port.setsockopt(socket.SOL_SOCKET, forced, BUFFER)
        except PermissionError:
            # In a user namespace the machine's limit applies (net.core.rmem_max); this only reduces throughput.
            port.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    port.bind((interface, 0))
    port.setblocking(False)
    return port


def forward(schedule: Schedule, ports: dict[str, socket.socket]) -> None:
    """Forward until the process ends."""
    names = {port.fileno(): name for name, port in ports.items()}
    while True:
        due = schedule.next_due()
        wait = None if due is None else max(0.0, due - time.monotonic())
        # Not epoll: its timeout has whole milliseconds, which would add one to each round trip.
        readable, _, _ = select.select(names, [], [], wait)
        for descriptor in readable:
            receive_all(schedule, names[descriptor], ports[names[descriptor]])
        for out, frame in schedule.due(time.monotonic()):
            try:
                ports[out].send(frame)
            except OSError:
                # A full or removed interface loses frames, as a wire does.
                schedule.dropped += 1


def receive_all(schedule: Schedule, name: str, port: socket.socket) -> None:
    while True:
        try:
            frame, address = port.recvfrom(FRAME_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            return  # the interface went down or was removed; the other ports continue
        if address[2] != PACKET_OUTGOING:
            schedule.receive(name, frame, time.monotonic())


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m lab.hub", description="the lab's delaying hub")
    parser.add_argument("--rtt-ms", type=float, default=50.0, help="round trip between two delayed ports")
    parser.add_argument(
        "--jitter-ms", type=float, default=0.0, help="up to this much more in each direction, at random"
    )
    parser.add_argument("--undelayed", action="append", default=[], metavar="PORT")
    parser.add_argument("--ready-fd", type=int, help="descriptor that gets a line once frames are forwarded")
    parser.add_argument("ports", nargs="+")
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ports = {name: open_port(name) for name in arguments.ports}
    delays = dict.fromkeys(ports, arguments.rtt_ms / 4000)
    schedule = Schedule(delays, frozenset(arguments.undelayed), arguments.jitter_ms / 1000)
    if arguments.ready_fd is not None:
        os.write(arguments.ready_fd, b"ready\n")
        os.close(arguments.ready_fd)
    forward(schedule, ports)
    return 0


if __name__ == "__main__":
    sys.exit(main())
