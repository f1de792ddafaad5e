"""Reads a file of tcpdump: the number of packets, from where to where.

Formats: pcap-savefile(5); link-layer headers by https://www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

import ipaddress
import struct
from collections import Counter
from dataclasses import dataclass

from kaspa_node.evidence.endpoints import Endpoint

_HEADER, _RECORD = 24, 16
_MAGICS = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">"}
# Link type → position of the EtherType, and length of the header.
_LINKS = {1: (12, 14), 113: (14, 16), 276: (0, 20)}
_RAW_IP = (101, 228, 229)
_IP = (b"\x08\x00", b"\x86\xdd")
_VLAN = b"\x81\x00"
_TCP = 6

Flow = tuple[Endpoint, Endpoint]


class BadCapture(ValueError):
    """Bytes that are not a pcap file."""


@dataclass(frozen=True)
class Capture:
    """A pcap file. content: without a cut packet at the end; packets: their number; flows: TCP packets by direction."""

    content: bytes
    packets: int
    flows: dict[Flow, int]


def read(content: bytes) -> Capture:
    """Raises BadCapture. If the file ends within a packet, because its size is limited, that packet is left out."""
    order = _MAGICS.get(content[:4])
    if order is None or len(content) < _HEADER:
        raise BadCapture("these bytes are not a pcap file")
    link = struct.unpack(f"{order}I", content[20:24])[0] & 0xFFFF
    place, count, flows = _HEADER, 0, Counter[Flow]()
    while place + _RECORD <= len(content):
        (length,) = struct.unpack(f"{order}I", content[place + 8 : place + 12])
        if place + _RECORD + length > len(content):
            break
        flow = _flow(link, content[place + _RECORD : place + _RECORD + length])
        if flow is not None:
            flows[flow] += 1
        count += 1
        place += _RECORD + length
    return Capture(content[:place], count, dict(flows))


def _flow(link: int, frame: bytes) -> Flow | None:
    """Source and destination of a frame's TCP segment; None if it is none, or is cut before its ports."""
    packet = _packet(link, frame)
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20 and packet[9] == _TCP and not packet[6] & 0x1F and not packet[7]:
        source, target, start = packet[12:16], packet[16:20], (packet[0] & 0xF) * 4
    elif version == 6 and len(packet) >= 40 and packet[6] == _TCP:
        source, target, start = packet[8:24], packet[24:40], 40
    else:
        return None
    if len(packet) < start + 4:
        return None
    ports = struct.unpack(">HH", packet[start : start + 4])
    return Endpoint(str(ipaddress.ip_address(source)), ports[0]), Endpoint(str(ipaddress.ip_address(target)), ports[1])


def _packet(link: int, frame: bytes) -> bytes:
    """The IP packet in a frame; empty if there is none."""
    if link in _RAW_IP:
        return frame
    if link not in _LINKS:
        return b""
    at, length = _LINKS[link]
    if frame[at : at + 2] == _VLAN:
        at, length = at + 4, length + 4
    return frame[length:] if frame[at : at + 2] in _IP else b""
