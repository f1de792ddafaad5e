"""Runs on a host of a lab (`python3 - WORDS`, this file on standard input) and shows what the NATs do to TCP.

observe PORT PORT           accept one connection on each port, tell it where it seems to come from
mapping FROM ADDRESS PORT…  connect from port FROM to each, print what they tell
listen PORT                 print `ready`, then `connected` when someone gets through
reach ADDRESS PORT          print connected, refused or silence
both PORT ADDRESS           connect from PORT to ADDRESS:PORT while the other side does the same; print both ends
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import sys
import time

SILENCE = 1.5
OPEN_SECONDS = 10.0


def bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Close with RST: no TIME_WAIT keeps the next probe from the same pair of addresses.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.bind(("0.0.0.0", port))
    return sock


def observe(*ports: str) -> None:
    listeners = [bound(int(port)) for port in ports]
    for listener in listeners:
        listener.listen()
    print("ready", flush=True)
    kept = []
    for listener in listeners:
        connection, address = listener.accept()
        connection.sendall(f"{address[0]}:{address[1]}\n".encode())
        kept.append(connection)


def mapping(source: str, address: str, *ports: str) -> None:
    kept = []
    seen = []
    for port in ports:
        sock = bound(int(source))
        sock.settimeout(OPEN_SECONDS)
        sock.connect((address, int(port)))
        seen.append(sock.makefile().readline().strip())
        kept.append(sock)
    print(json.dumps(seen), flush=True)


def listen(port: str) -> None:
    listener = bound(int(port))
    listener.listen()
    print("ready", flush=True)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(sys.stdout, 0)  # tells when nobody reads any more, so that nothing stays behind on the host
    if any(descriptor == listener.fileno() for descriptor, _ in poll.poll()):
        print("connected", flush=True)


def reach(address: str, port: str) -> None:
    try:
        with socket.create_connection((address, int(port)), timeout=SILENCE):
            print("connected", flush=True)
    except ConnectionRefusedError:
        print("refused", flush=True)
    except TimeoutError:
        print("silence", flush=True)


def both(port: str, address: str, seconds: str = str(OPEN_SECONDS)) -> None:
    deadline = time.monotonic() + float(seconds)
    listener = bound(int(port))  # a peer listens on the port that it dials from
    listener.listen()
    while time.monotonic() < deadline:
        sock = bound(int(port))
        sock.settimeout(max(0.1, deadline - time.monotonic()))
        with contextlib.suppress(OSError):
            sock.connect((address, int(port)))
            sock.sendall(b"hello\n")
            if sock.makefile().readline() == "hello\n":
                print(json.dumps([f"{a}:{p}" for a, p in (sock.getsockname(), sock.getpeername())]), flush=True)
                return
        sock.close()
    print("silence", flush=True)


if __name__ == "__main__":
    {"observe": observe, "mapping": mapping, "listen": listen, "reach": reach, "both": both}[sys.argv[1]](*sys.argv[2:])
