"""The border between bytes and messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage


@given(st.binary(max_size=200))
def test_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    try:
        message = messages.decode(data)
    except ProtocolError:
        return
    assert isinstance(message, KaspadMessage)


def test_bytes_that_are_no_message_are_refused() -> None:
    with pytest.raises(ProtocolError, match="no kaspad p2p message") as caught:
        messages.decode(b"\xff\xff\xff")
    assert not caught.value.tell_peer


def test_a_string_that_is_no_utf8_is_refused() -> None:
    data = messages.reject("abc").SerializeToString().replace(b"abc", b"a\xffc")
    with pytest.raises(ProtocolError):
        messages.decode(data)


def test_kinds_are_written_as_kaspad_does() -> None:
    assert messages.kind(messages.request_addresses()) == "RequestAddresses"
    assert messages.kind(KaspadMessage(DoneHeaders={})) == "DoneHeaders"
    assert messages.kind(KaspadMessage()) == ""


def test_a_payload_of_a_later_version_looks_like_none() -> None:
    field_70 = bytes([0xB2, 0x04, 0x00])
    assert messages.kind(messages.decode(field_70)) == ""


@given(st.text(max_size=3000))
def test_a_shortened_reason_fits_and_is_the_beginning(reason: str) -> None:
    short = messages.shorten(reason)
    assert len(short.encode()) <= messages.REASON_LIMIT
    assert reason.startswith(short)


@given(st.text(max_size=100))
def test_printable_text_has_nothing_to_steer_a_terminal(text: str) -> None:
    assert messages.printable(text).isprintable()


def test_plain_text_stays_as_it_is() -> None:
    assert messages.printable("Müller \\ 取") == "Müller \\ 取"
