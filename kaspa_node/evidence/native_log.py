"""Finds the handshake that the lines in a native program's log belong to.

Version, Verack and Ready lines name no peer. Only the line about the connection does, by the address of the socket. The
lines between two such lines belong to the second, if one handshake ends before the next begins. If two handshakes run
at once, it is not known whose a line is, and then it counts for none.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from kaspa_node import milestones as m
from kaspa_node.evidence.findings import Contradiction, Lacking
from kaspa_node.evidence.journal_lines import Line

STEPS = (m.VERSION_RECEIVED, m.VERACK_RECEIVED, m.READY_RECEIVED)
_OWN = (m.VERSION_SENT, *STEPS)
# p2p-lib draws a new id at each start of a program; Rust's Debug prints its sixteen bytes.
_VERSION_ID = re.compile(r" id: \[((?:[0-9]{1,3}, ){15}[0-9]{1,3})\], ")


def handshake(lines: Sequence[Line], log: str, direction: str, addr: str) -> list[Line]:
    """Version, Verack, Ready and Connected of the connection at `addr`, in this order.

    log: how to name the log in errors. Lacking if a step is missing; Contradiction if the order is wrong, the
    connection was made more than once, or another handshake ran at the same time.
    """
    made = _connected(lines, log, direction, addr)
    steps = [line for line in _steps_before(lines, made, log) if line.milestone in STEPS]
    for step in STEPS:
        if all(line.milestone is not step for line in steps):
            raise Lacking(f"{log} has no {step} before line {made.number}, where {addr} is connected")
    found = [*steps, made]
    times = [line.time for line in found]
    if [line.milestone for line in steps] != list(STEPS) or times != sorted(times):
        raise Contradiction(f"the handshake's lines in {log} are out of order")
    return found


def version_ids(lines: Sequence[Line], log: str, direction: str, addr: str) -> tuple[str, str]:
    """The ids in the Version messages that were sent and received in that handshake; Lacking if one is missing."""
    made = _connected(lines, log, direction, addr)
    found = {line.milestone: _VERSION_ID.search(line.sentence) for line in _steps_before(lines, made, log)}
    ids = [found.get(kind) for kind in (m.VERSION_SENT, m.VERSION_RECEIVED)]
    if ids[0] is None or ids[1] is None:
        raise Lacking(f"{log} does not show both Version messages of the connection at {addr}")
    return ids[0][1], ids[1][1]


def _connected(lines: Sequence[Line], log: str, direction: str, addr: str) -> Line:
    made = [line for line in lines if line.is_a(m.PEER_CONNECTED, direction=direction, addr=addr)]
    if not made:
        raise Lacking(f"{log} has no {m.PEER_CONNECTED} with direction={direction} addr={addr}")
    if len(made) > 1:
        raise Contradiction(f"{log} has {m.PEER_CONNECTED} {len(made)} times with direction={direction} addr={addr}")
    return made[0]


def _steps_before(lines: Sequence[Line], last: Line, log: str) -> list[Line]:
    """The steps of the one handshake that ran right before that line; none ran beside it, or beside one before it."""
    steps: list[Line] = []
    for line in itertools.takewhile(lambda line: line is not last, lines):
        kinds = {step.milestone for step in steps}
        if line.milestone in _OWN:
            if line.milestone in kinds:
                again = f"{line.milestone} again in line {line.number}"
                raise Contradiction(f"two handshakes run at once in {log}: {again}")
            steps.append(line)
        elif line.milestone is m.PEER_CONNECTED and not kinds.issuperset(STEPS):
            raise Contradiction(f"a handshake that {log} does not show whole ends in line {line.number}")
        elif line.milestone in (m.PEER_CONNECTED, m.HANDSHAKE_FAILED):
            steps = []
    return steps
