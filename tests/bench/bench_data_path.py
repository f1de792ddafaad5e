"""How fast a stream is: ours, plain trio TCP, and py-libp2p 0.8.1 as it comes, in turn, in one process on loopback.

    python tests/bench/bench_data_path.py [--rounds N] [--mib N] [--seconds S]

Figures are for comparing with each other on one machine; the medians of the rounds and their ratios are printed.
Not collected by pytest.
"""

from __future__ import annotations

import argparse
import gc
import logging
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import trio
from libp2p import new_host
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo
from multiaddr import Multiaddr

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.integration.world import make_host
from tests.unit.p2p.parties import identity

PROTOCOL = "/bench/1"
MESSAGE = bytes(100)
CHUNK = bytes(256 * 1024)
ECHO, SINK = b"E", b"S"


class Wire(Protocol):
    """One end of a stream, of whatever make."""

    async def write(self, data: bytes) -> None:
        """Send all of it."""
        ...

    async def read(self, most: int) -> bytes:
        """Some bytes."""
        ...


Serve = Callable[[Wire], Awaitable[None]]


async def serve(wire: Wire) -> None:
    """The other end: echo messages, or take a number of bytes and answer with one."""
    if await wire.read(1) == ECHO:
        while data := await wire.read(len(MESSAGE)):
            await wire.write(data)
    else:
        await take(wire, int.from_bytes(await take(wire, 8), "big"), keep=False)
        await wire.write(b"!")


async def take(wire: Wire, count: int, *, keep: bool = True) -> bytes:
    """Read exactly that many bytes."""
    pieces, left = [], count
    while left:
        data = await wire.read(min(left, len(CHUNK)))
        left -= len(data)
        if keep:
            pieces.append(data)
    return b"".join(pieces)


# What is compared


class TcpWire:
    """Plain TCP."""

    def __init__(self, stream: trio.SocketStream) -> None:
        stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        self._stream = stream

    async def write(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def read(self, most: int) -> bytes:
        return bytes(await self._stream.receive_some(most))


@asynccontextmanager
async def plain_tcp() -> AsyncIterator[Wire]:
    """A connection, and the other end served."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:

        async def accept() -> None:
            await serve(TcpWire(await listener.accept()))

        nursery.start_soon(accept)
        async with await trio.open_tcp_stream(*listener.socket.getsockname()) as stream:
            yield TcpWire(stream)
        nursery.cancel_scope.cancel()
    await listener.aclose()


@asynccontextmanager
async def ours() -> AsyncIterator[Wire]:
    """A stream between two hosts of ours."""
    a, b = make_host(1), make_host(2)
    b.protocols.serve(PROTOCOL, serve)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(a.run)
        nursery.start_soon(b.run)
        await a.running.wait()
        connection = await a.dialer.dial(b.listener.addresses[0], b.peer_id)
        await connection.identified.wait()
        yield await a.protocols.open(connection, [PROTOCOL])
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def stock() -> AsyncIterator[Wire]:
    """A stream between two hosts of py-libp2p."""
    a: Any = new_host(key_pair=identity(11))
    b: Any = new_host(key_pair=identity(12))
    b.set_stream_handler(PROTOCOL, serve)
    anywhere = [Multiaddr("/ip4/127.0.0.1/tcp/0")]
    async with a.run(anywhere), b.run(anywhere):
        peer = ID.from_string(str(b.get_id()))
        await a.connect(PeerInfo(peer, [Multiaddr(str(b.get_addrs()[0]).partition("/p2p/")[0])]))
        yield await a.new_stream(peer, [PROTOCOL])


PATHS: dict[str, Callable[[], AbstractAsyncContextManager[Wire]]] = {
    "plain TCP": plain_tcp,
    "ours": ours,
    "stock": stock,
}

# What is measured


async def round_trips(open_path: Callable[[], AbstractAsyncContextManager[Wire]], seconds: float) -> float:
    """Round trips of 100 bytes a second."""
    async with open_path() as wire:
        await wire.write(ECHO)
        for _ in range(20):
            await wire.write(MESSAGE)
            await take(wire, len(MESSAGE))
        count, start = 0, trio.current_time()
        while (elapsed := trio.current_time() - start) < seconds:
            for _ in range(20):
                await wire.write(MESSAGE)
                await take(wire, len(MESSAGE))
            count += 20
        return count / elapsed


async def throughput(open_path: Callable[[], AbstractAsyncContextManager[Wire]], mib: int) -> float:
    """MiB a second, one way, over one stream."""
    total = mib << 20
    async with open_path() as wire:
        start = trio.current_time()
        await wire.write(SINK + total.to_bytes(8, "big"))
        for _ in range(total // len(CHUNK)):
            await wire.write(CHUNK)
        await take(wire, 1)
        return mib / (trio.current_time() - start)


async def measure(rounds: int, mib: int, seconds: float) -> None:
    """Measure all paths in turn, and print."""
    trips: dict[str, list[float]] = {name: [] for name in PATHS}
    speeds: dict[str, list[float]] = {name: [] for name in PATHS}
    for number in range(1, rounds + 1):
        for name, path in PATHS.items():
            gc.collect()
            trips[name].append(await round_trips(path, seconds))
            speeds[name].append(await throughput(path, mib))
            print(f"round {number}: {name:<10} {trips[name][-1]:>8.0f} rt/s {speeds[name][-1]:>8.1f} MiB/s", flush=True)
    table(trips, speeds)


def table(trips: dict[str, list[float]], speeds: dict[str, list[float]]) -> None:
    """The medians, and how they stand to plain TCP and to stock."""
    per_second = {name: statistics.median(values) for name, values in trips.items()}
    mib = {name: statistics.median(values) for name, values in speeds.items()}
    print(f"\n{'median of the rounds':<22}{'rt/s':>8}{'x TCP':>8}{'x stock':>9}{'MiB/s':>10}{'x TCP':>8}{'x stock':>9}")
    for name in PATHS:
        print(
            f"{name:<22}{per_second[name]:>8.0f}{per_second[name] / per_second['plain TCP']:>8.2f}"
            f"{per_second[name] / per_second['stock']:>9.2f}{mib[name]:>10.1f}{mib[name] / mib['plain TCP']:>8.2f}"
            f"{mib[name] / mib['stock']:>9.2f}"
        )


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description="Compare our data path with plain TCP and py-libp2p 0.8.1.")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all paths in turn (default: 3)")
    parser.add_argument("--mib", type=int, default=256, help="MiB over one stream (default: 256)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of round trips for each path (default: 2)")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    trio.run(measure, arguments.rounds, arguments.mib, arguments.seconds)


if __name__ == "__main__":
    main()
