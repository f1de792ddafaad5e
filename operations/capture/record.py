"""Runs on a host, sent to its Python as text by `fab capture`: MEANS SECONDS BYTES INTERFACE FILTER.

Prints tcpdump's messages in lines that begin with #, then the packets (pcap) in base64, then #end. The packets are in a
file without a name, so nothing is left of it in any case. timeout(1) ends tcpdump even if this program was killed. The
content of the packets is encrypted, so 512 bytes of each are enough.

MEANS is `tcpdump`, or `socket` if tcpdump can't work: in a user namespace with one user, because it can't switch users.
Every interface of such a place has Ethernet headers, and tcpdump still compiles the filter (packet(7), socket(7)).
"""

import base64
import contextlib
import ctypes
import io
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from typing import IO

SNAPLEN, LONGEST = 512, 1 << 17
ETHERNET = 1
ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
SOL_PACKET, PACKET_STATISTICS = 263, 6
SOCKET_BUFFER = 4 * 1024 * 1024
# KiB. The kernel keeps a slot of SNAPLEN for each packet that tcpdump has not written yet.
TCPDUMP_BUFFER = 16384
PIECE = 57 * 1024


def say(line: str) -> None:
    """A line for people."""
    print(f"# {line.rstrip()}", flush=True)


def tell(lines: Iterable[bytes]) -> None:
    """Pass on the output of a program."""
    for line in lines:
        say(line.decode(errors="replace"))


def by_tcpdump(file: IO[bytes], seconds: float, limit: int, interface: str, expression: str) -> None:
    """Capture with tcpdump."""
    argv = ["timeout", "--foreground", "--kill-after=5", str(seconds), "tcpdump", "--immediate-mode"]
    argv += ["-s", str(SNAPLEN), "-B", str(TCPDUMP_BUFFER), "-U", "-n", "-p", "-i", interface, "-w", "-", expression]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.stdout, process.stderr
        assert isinstance(out, io.BufferedReader)
        assert err is not None
        told = threading.Thread(target=tell, args=(err,))
        told.start()
        while file.tell() < limit and (piece := out.read1(min(PIECE, limit - file.tell()))):
            file.write(piece)
        process.terminate()
        out.close()
        told.join()


def by_socket(file: IO[bytes], seconds: float, limit: int, interface: str, expression: str) -> None:
    """Capture with a packet socket. Raises OSError, CalledProcessError."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        if interface != "any":
            place.bind((interface, ETH_P_ALL))
        attach(place, expression)
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, ETHERNET))
        say(f"tcpdump: listening on {interface}")
        deadline = time.monotonic() + seconds
        while file.tell() < limit and (left := deadline - time.monotonic()) > 0:
            place.settimeout(left)
            try:
                frame = place.recv(LONGEST)
            except TimeoutError:
                break
            now, kept = time.time(), frame[:SNAPLEN]
            file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(kept), len(frame)) + kept)
        file.truncate(min(file.tell(), limit))
        _, dropped = struct.unpack("II", place.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        say(f"{dropped} packets dropped by kernel")


def attach(place: socket.socket, expression: str) -> None:
    """Make the kernel deliver only packets that match the filter."""
    argv = ["tcpdump", "-y", "EN10MB", "-ddd", expression]
    compiled = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    steps = [[int(number) for number in line.split()] for line in compiled.splitlines()[1:]]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    place.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(steps), ctypes.addressof(program)))
    place.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # packets from before the filter
        while True:
            place.recv(LONGEST)


def main(means: str, seconds: str, limit: str, interface: str, expression: str) -> None:
    """Capture packets and print them."""
    os.environ.update(PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin", LC_ALL="C")
    with tempfile.TemporaryFile() as file:
        {"tcpdump": by_tcpdump, "socket": by_socket}[means](file, float(seconds), int(limit), interface, expression)
        file.seek(0)
        while piece := file.read(PIECE):
            print(base64.b64encode(piece).decode())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, subprocess.CalledProcessError) as error:
        say(getattr(error, "stderr", None) or str(error))
    print("#end", flush=True)
