"""Varints and delimited messages, in whatever pieces they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.p2p.errors import ProtocolError
from kaspa_node.p2p.wire import DelimitedBuffer, delimited, uvarint


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (16384, "808001"), (2**63 - 1, "ff" * 8 + "7f")],
)
def test_varints_are_those_of_multiformats(value: int, encoded: str) -> None:
    assert uvarint(value).hex() == encoded


def test_a_message_waits_for_its_last_byte() -> None:
    buffer = DelimitedBuffer(100)
    wire = delimited(b"hello")
    for byte in wire[:-1]:
        buffer.feed(bytes([byte]))
        assert buffer.next() is None
    buffer.feed(wire[-1:])
    assert buffer.next() == b"hello"
    assert buffer.next() is None


def test_an_empty_message_is_a_message() -> None:
    buffer = DelimitedBuffer(10)
    buffer.feed(b"\x00\x00")
    assert [buffer.next(), buffer.next(), buffer.next()] == [b"", b"", None]


def test_what_follows_the_messages_can_be_taken_out() -> None:
    buffer = DelimitedBuffer(10)
    buffer.feed(delimited(b"one") + b"\x7f and then something else")
    assert buffer.next() == b"one"
    assert buffer.rest() == b"\x7f and then something else"
    assert buffer.rest() == b""


def test_the_longest_message_passes_and_one_byte_more_does_not() -> None:
    buffer = DelimitedBuffer(200)
    buffer.feed(delimited(bytes(200)))
    assert buffer.next() == bytes(200)
    buffer.feed(uvarint(201))
    with pytest.raises(ProtocolError, match="201 bytes where at most 200"):
        buffer.next()


def test_a_length_of_ten_bytes_is_refused_before_the_tenth_is_looked_at() -> None:
    buffer = DelimitedBuffer(1 << 62)
    buffer.feed(b"\x80" * 9)
    assert buffer.next() is None
    buffer.feed(b"\x80")
    with pytest.raises(ProtocolError, match="more than nine bytes"):
        buffer.next()


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_messages_survive_any_split(messages: list[bytes], sizes: list[int]) -> None:
    wire = b"".join(map(delimited, messages))
    buffer, found = DelimitedBuffer(300), []
    position = step = 0
    while position < len(wire):
        size = sizes[step % len(sizes)]
        buffer.feed(wire[position : position + size])
        position += size
        step += 1
        while (message := buffer.next()) is not None:
            found.append(message)
    assert found == messages


@given(st.binary(max_size=100))
def test_arbitrary_bytes_raise_nothing_but_protocol_errors(data: bytes) -> None:
    buffer = DelimitedBuffer(50)
    buffer.feed(data)
    try:
        while buffer.next() is not None:
            pass
    except ProtocolError:
        return
