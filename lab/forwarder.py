"""Brings packages into the lab: listens in the public segment, connects from the machine's own network.

Forwards by Host header (plain HTTP) or TLS server name, only to the given names; TLS stays end to end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial

from lab.setns import network_namespace

CONNECT_TIMEOUT = 15.0
HEAD_TIMEOUT = 30.0
TLS_HANDSHAKE = 22
SERVER_NAME = 0


class Refused(Exception):
    """A connection to a name that the forwarder does not serve."""


def server_name(hello: bytes) -> str:
    """The server name that a TLS ClientHello asks for (RFC 8446 4.1.2, RFC 6066 3), record header included.

    Raises Refused if there is none.
    """
    try:
        if hello[0] != TLS_HANDSHAKE:
            raise Refused("no TLS")
        at = 5 + 4 + 2 + 32
        at += 1 + hello[at]
        at += 2 + int.from_bytes(hello[at : at + 2])
        at += 1 + hello[at]
        end = at + 2 + int.from_bytes(hello[at : at + 2])
        at += 2
        while at + 4 <= min(end, len(hello)):
            kind, length = int.from_bytes(hello[at : at + 2]), int.from_bytes(hello[at + 2 : at + 4])
            at += 4
            if kind == SERVER_NAME:
                return hello[at + 5 : at + length].decode("ascii")
            at += length
    except (IndexError, UnicodeDecodeError) as error:
        raise Refused("a ClientHello that cannot be read") from error
    raise Refused("TLS without a server name")


def http_host(head: bytes) -> str:
    """The name in a request's Host header, without its port. Raises Refused if there is none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"host":
            return value.strip().decode("ascii", "replace").rsplit(":", 1)[0]
    raise Refused("a request without Host")


async def read_head(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """The first bytes of a connection, and the name in them."""
    head = await reader.readexactly(5)
    if head[0] == TLS_HANDSHAKE:
        head += await reader.readexactly(int.from_bytes(head[3:5]))
        return head, server_name(head)
    head += await reader.readuntil(b"\r\n\r\n")
    return head, http_host(head)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end, and pass on the end."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, allowed: frozenset[str]) -> None:
    """One connection from a host of the lab."""
    upstream: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(HEAD_TIMEOUT):
            head, name = await read_head(reader)
        if name not in allowed:
            raise Refused(f"{name} is not among this machine's package hosts")
        async with asyncio.timeout(CONNECT_TIMEOUT):
            far, upstream = await asyncio.open_connection(name, port)
        upstream.write(head)
        await asyncio.gather(pump(reader, upstream), pump(far, writer))
    except (Refused, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError) as error:
        print(f"port {port}: {error}", file=sys.stderr, flush=True)
    finally:
        for end in (writer, upstream):
            if end is not None:
                end.close()


def listeners(namespace: str, address: str, ports: Sequence[int]) -> dict[int, socket.socket]:
    with network_namespace(namespace):
        return {port: socket.create_server((address, port), backlog=128) for port in ports}


async def run(sockets: dict[int, socket.socket], allowed: frozenset[str], ready: int | None) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    servers = []
    for port, listener in sockets.items():
        servers.append(await asyncio.start_server(partial(serve, port=port, allowed=allowed), sock=listener))
    if ready is not None:
        os.write(ready, b"ready\n")
        os.close(ready)
    await ended.wait()
    for server in servers:
        server.close()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m lab.forwarder", description="the lab's package forwarder")
    parser.add_argument("--namespace", required=True, help="file of the namespace to listen in")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, action="append", required=True)
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("allowed", nargs="*", help="host names that may be fetched from")
    arguments = parser.parse_args(argv)
    sockets = listeners(arguments.namespace, arguments.address, arguments.port)
    asyncio.run(run(sockets, frozenset(arguments.allowed), arguments.ready_fd))
    return 0


if __name__ == "__main__":
    sys.exit(main())
