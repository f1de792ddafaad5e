"""What tcpdump wrote is counted by direction; a file that was cut ends before the cut."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.evidence.endpoints import Endpoint
from operations.capture import pcap

ONE, OTHER = Endpoint("203.0.113.20", 4012), Endpoint("203.0.113.30", 24012)
SIX = Endpoint("2001:db8::20", 4012), Endpoint("2001:db8::30", 4012)
ETHERNET, COOKED, COOKED_2, RAW = 1, 113, 276, 101


def segment(source: Endpoint, target: Endpoint, *, protocol: int = 6) -> bytes:
    """An IP packet that holds the first eight bytes of a TCP segment."""
    ports = struct.pack(">HHI", source.port, target.port, 0)
    addresses = ipaddress.ip_address(source.ip).packed + ipaddress.ip_address(target.ip).packed
    if ":" in source.ip:
        return b"\x60\0\0\0" + struct.pack(">HBB", len(ports), protocol, 64) + addresses + ports
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(ports), 0, 0, 64, protocol, 0) + addresses + ports


def frame(link: int, packet: bytes) -> bytes:
    """The packet with the header of a link."""
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    headers = {ETHERNET: bytes(12) + kind, COOKED: bytes(14) + kind, COOKED_2: kind + bytes(18), RAW: b""}
    return headers[link] + packet


def record(data: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}IIII", 1, 2, len(data), len(data)) + data


def header(link: int, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    return struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)


@pytest.mark.parametrize("link", [ETHERNET, COOKED, COOKED_2, RAW])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_packets_of_every_link_are_counted_by_direction(link: int, order: str, magic: int) -> None:
    there, back = frame(link, segment(ONE, OTHER)), frame(link, segment(OTHER, ONE))
    content = header(link, order, magic) + b"".join(record(data, order) for data in (there, back, there))
    assert pcap.read(content) == pcap.Capture(content, 3, {(ONE, OTHER): 2, (OTHER, ONE): 1})


def test_ipv6_and_vlan() -> None:
    packet = segment(*SIX)
    tagged = bytes(12) + b"\x81\x00\x00\x07" + b"\x86\xdd" + packet
    content = header(ETHERNET) + record(tagged) + record(frame(ETHERNET, packet))
    assert pcap.read(content).flows == {SIX: 2}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        frame(ETHERNET, segment(ONE, OTHER, protocol=17)),
        frame(ETHERNET, segment(ONE, OTHER)[:20]),
        bytes(12) + b"\x08\x06" + bytes(28),
    ],
    ids=["empty", "UDP", "cut before the ports", "ARP"],
)
def test_what_is_no_tcp_segment_is_counted_without_a_direction(data: bytes) -> None:
    found = pcap.read(header(ETHERNET) + record(data))
    assert (found.packets, found.flows) == (1, {})


def test_of_an_unknown_link_packets_are_counted() -> None:
    found = pcap.read(header(147) + record(b"whatever"))
    assert (found.packets, found.flows) == (1, {})


@given(st.integers(min_value=0, max_value=200))
def test_a_file_that_was_cut_ends_before_the_cut(kept: int) -> None:
    whole = header(ETHERNET) + 3 * record(frame(ETHERNET, segment(ONE, OTHER)))
    size = (len(whole) - 24) // 3
    cut = whole[: 24 + kept]
    found = pcap.read(cut)
    assert found.packets == min(kept // size, 3)
    assert found.content == whole[: 24 + found.packets * size]


@given(st.binary(max_size=200))
def test_any_bytes_after_a_header_are_read(rest: bytes) -> None:
    assert pcap.read(header(ETHERNET) + rest).packets <= len(rest) // 16


@pytest.mark.parametrize("content", [b"", b"tcpdump: no", header(ETHERNET)[:23]])
def test_bytes_that_are_no_capture(content: bytes) -> None:
    with pytest.raises(pcap.BadCapture):
        pcap.read(content)
