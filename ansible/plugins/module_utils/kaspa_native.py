"""Waits, on a host, until the session of a native program is up."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

# The caller reports the missing package.
with suppress(ImportError):
    from kaspa_node import milestones
    from kaspa_node.evidence.journal_lines import Line, read_journal
    from kaspa_node.evidence.kaspad_lines import read_kaspad_journal

READY_STATES = ("ready", "carried")


@dataclass(frozen=True)
class Seen:
    """The state of a session on a host at one moment.

    sessions: those of its peer. journal: the peer's lines. unit: that of the native program, "" for none.
    running: whether it runs. log: its lines.
    """

    sessions: Iterable[Mapping[str, Any]]
    journal: str
    unit: str
    running: bool
    log: str


def lacking(seen: Seen, conn: str) -> str:
    """What is still missing of a session on the connection `conn`; "" if it is up and every program reported it."""
    if not any(row.get("conn") == conn and row.get("state") in READY_STATES for row in seen.sessions):
        return f"there is no session on connection {conn}"
    if not seen.unit:
        return ""
    ours, theirs = _lines(read_journal, seen.journal), _lines(read_kaspad_journal, seen.log)
    callers = {line.fields.get("caller") for line in ours if line.fields.get("conn") == conn}
    for line in theirs:
        outgoing = line.is_a(milestones.PEER_CONNECTED, direction="outgoing")
        if outgoing or (line.milestone is milestones.PEER_CONNECTED and line.fields["addr"] in callers):
            return ""
    return f"{seen.unit} has not said that it is connected"


def _lines(read: Callable[[io.BytesIO], Any], text: str) -> tuple[Line, ...]:
    lines: tuple[Line, ...] = read(io.BytesIO(text.encode())).lines
    return lines


def wait(
    look: Callable[[], Seen], conn: str, timeout: float, clock: Callable[[], float], pause: Callable[[], None]
) -> str:
    """Wait until nothing is missing; returns "", or what is missing after `timeout` seconds or the program's end."""
    deadline = clock() + timeout
    while True:
        seen = look()
        lack = lacking(seen, conn)
        if not lack:
            return ""
        if seen.unit and not seen.running:
            return f"{seen.unit} does not run; {lack}"
        if clock() >= deadline:
            return f"{lack} after {timeout:.0f} s"
        pause()
