"""What both ends of the control socket agree on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

DEFAULT_PATH = "/run/kaspa-node/control.sock"

MAX_REQUEST = 64 * 1024
"""Bytes of a request line, its newline included."""

READ_TIMEOUT = 5.0
"""Seconds in which a request line must have arrived."""

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer that a client reads; the answer of a relay with thousands of pairs is much shorter."""


class BadMessage(ValueError):
    """Bytes that are not one JSON object on one line."""


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as its line."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def decode(line: bytes) -> dict[str, Any]:
    """The message of a line; raises BadMessage."""
    try:
        message = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadMessage("the line is not JSON") from error
    if not isinstance(message, dict):
        raise BadMessage("the line is not a JSON object")
    return message
