"""The requests that a running peer takes over its control socket, checked before anything is done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kaspa_node.constants import PATH_POLICIES
from kaspa_node.errors import RequestFailed, shown

SESSION_SECONDS = 60.0
EXERCISE_SECONDS = 30.0
LONGEST_SECONDS = 600.0
MAX_PINGS = 100_000
_RUN = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A fresh session: with which remote (name or peer id), for which run, by which policy, in how many seconds.

    stream: with an external backend, wait also until a local program's stream has bytes of the remote.
    """

    remote: str
    run: str | None
    policy: str | None
    timeout: float
    stream: bool = False

    @classmethod
    def parse(cls, request: dict[str, Any]) -> SessionRequest:
        """Raises RequestFailed, naming the field."""
        run, policy = request.get("run"), request.get("policy")
        if run is not None and not (isinstance(run, str) and _RUN.fullmatch(run)):
            raise RequestFailed(f"run is {shown(run)}; expected up to 64 letters, digits, dots, colons and dashes")
        if policy is not None and policy not in PATH_POLICIES:
            raise RequestFailed(f"policy is {shown(policy)}; expected {', '.join(PATH_POLICIES)}")
        stream = request.get("stream", False)
        if not isinstance(stream, bool):
            raise RequestFailed(f"stream is {shown(stream)}; expected true or false")
        return cls(_text(request, "remote"), run, policy, _seconds(request, SESSION_SECONDS), stream)


@dataclass(frozen=True, slots=True)
class ExerciseRequest:
    """Pings over a session in both directions; each nonce is checked."""

    session: str
    pings: int
    timeout: float

    @classmethod
    def parse(cls, request: dict[str, Any]) -> ExerciseRequest:
        """Raises RequestFailed, naming the field."""
        pings = request.get("pings", 1)
        if not isinstance(pings, int) or isinstance(pings, bool) or not 1 <= pings <= MAX_PINGS:
            raise RequestFailed(f"pings is {shown(pings)}; expected a whole number from 1 to {MAX_PINGS}")
        return cls(_text(request, "session"), pings, _seconds(request, EXERCISE_SECONDS))


def _text(request: dict[str, Any], field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str) or not value:
        raise RequestFailed(f"{field} is {shown(value)}; expected a text")
    return value


def _seconds(request: dict[str, Any], default: float) -> float:
    value = request.get("timeout", default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= LONGEST_SECONDS:
        raise RequestFailed(f"timeout is {shown(value)}; expected seconds, more than 0 and at most {LONGEST_SECONDS:g}")
    return float(value)
