"""Lines of the control socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.control import protocol

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON))
def test_a_message_survives_its_line(message: dict[str, object]) -> None:
    line = protocol.encode(message)
    assert line.index(b"\n") == len(line) - 1
    assert protocol.decode(line) == message


@given(st.binary())
def test_whatever_arrives_is_an_object_or_refused_by_name(line: bytes) -> None:
    try:
        message = protocol.decode(line)
    except protocol.BadMessage:
        return
    assert isinstance(message, dict)


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"1", b'"x"', b"{", b'{"a":NaN}', b"[" * 60_000, b'{"a":' + b"9" * 60_000]
)
def test_lines_that_are_refused(line: bytes) -> None:
    with pytest.raises(protocol.BadMessage):
        protocol.decode(line)
