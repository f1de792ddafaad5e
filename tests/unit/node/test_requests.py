"""Requests over the control socket: taken, or refused by the name of the field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.errors import RequestFailed
from kaspa_node.node.requests import ExerciseRequest, SessionRequest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
FIELDS = ("do", "remote", "run", "policy", "timeout", "stream", "session", "pings")


def refusal(kind: type[SessionRequest] | type[ExerciseRequest], request: dict[str, Any]) -> str | None:
    """Why a request is refused, or None."""
    try:
        found = kind.parse(request)
    except RequestFailed as error:
        return str(error)
    return None if 0 < found.timeout <= 600 else "taken with a senseless timeout"


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_whatever_is_asked_is_taken_or_refused_by_name(asked: dict[str, Any]) -> None:
    for kind in (SessionRequest, ExerciseRequest):
        reason = refusal(kind, asked)
        assert reason is None or (reason.isprintable() and reason.partition(" is ")[0] in FIELDS)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({}, "remote is null; expected a text"),
        ({"remote": "a", "timeout": 0}, "timeout is 0; expected seconds, more than 0 and at most 600"),
        ({"remote": "a", "policy": "fast"}, 'policy is "fast"; expected prefer-direct, direct-only, relay-only'),
        ({"remote": "a", "run": "a b"}, 'run is "a b"; expected up to 64 letters, digits, dots, colons and dashes'),
        ({"remote": "a", "stream": 1}, "stream is 1; expected true or false"),
    ],
)
def test_a_refusal_names_field_value_and_what_is_expected(request_: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestFailed) as caught:
        SessionRequest.parse(request_)
    assert str(caught.value) == said
