"""Does what record.sh does where tcpdump can't: in a user namespace of one user, in which it can't become another.

Sent to Python as text: SECONDS BYTES INTERFACE FILTER. Prints the same. Every interface of such a place has Ethernet
headers; tcpdump still compiles the filter (packet(7), socket(7)).
"""

import base64
import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

SNAPLEN, LONGEST = 512, 1 << 17
BUFFER = 4 * 1024 * 1024
ETHERNET = 1
ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
SOL_PACKET, PACKET_STATISTICS = 263, 6


def packet_socket() -> socket.socket:
    """A socket that hears every interface."""
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))


def attach(place: socket.socket, expression: str) -> None:
    """Have the kernel pass on only what the filter lets through. Raises CalledProcessError, OSError."""
    compiled = subprocess.run(
        ["tcpdump", "-y", "EN10MB", "-ddd", expression], check=True, capture_output=True, text=True
    ).stdout
    steps = [[int(number) for number in line.split()] for line in compiled.splitlines()[1:]]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    place.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(steps), ctypes.addressof(program)))
    place.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # what came before the filter
        while True:
            place.recv(LONGEST)


def main(seconds: float, limit: int, interface: str, expression: str) -> None:
    """Take packets; whatever ends it, nothing is left of the file, which has no name."""
    with tempfile.TemporaryFile() as file, packet_socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        if interface != "any":
            place.bind((interface, ETH_P_ALL))
        attach(place, expression)
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, ETHERNET))
        print(f"# tcpdump: listening on {interface}", flush=True)
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
        print(f"# {dropped} packets dropped by kernel")
        file.seek(0)
        while piece := file.read(57 * 1024):
            print(base64.b64encode(piece).decode())
        print("#end")


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    try:
        main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"# {getattr(error, 'stderr', None) or error}\n#end")
