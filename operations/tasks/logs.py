"""`fab logs`."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from functools import partial

from operations import log_reader
from operations.fleet import on_all
from operations.inventory import Node
from operations.link import Link
from operations.log_lines import Entry, in_order, shown, since
from operations.log_reader import Read, Wanted
from operations.operation import LONGEST, Call, number, operation
from operations.problems import Interrupted, OperationProblem

DEFAULT_LINES = 50
MOST_LINES = 100_000
READ_SECONDS = 30.0
GRACE = 20.0


@operation(
    timeout=READ_SECONDS,
    help={
        "host": "only these hosts, with commas",
        "follow": "show new lines until Ctrl-C or --timeout; with --json one line for each",
        "milestones": "only milestones, by name and without their fields",
        "since": "only lines since then: 30s, 10min, 2h, 3d ago, or 2026-11-23 10:00 (UTC)",
        "lines": f"the newest N of each host (default: {DEFAULT_LINES}; with --since all)",
    },
)
def logs(
    call: Call,
    host: str | None = None,
    follow: bool = False,
    milestones: bool = False,
    since: str | None = None,
    lines: str | None = None,
) -> None:
    """The hosts' logs in the order of time, each line with its host."""
    wanted = _wanted(milestones, since, lines)
    nodes = call.inventory.some(host)
    # A time limit for following does not apply to existing lines.
    limit = READ_SECONDS if follow else call.timeout
    found = on_all(nodes, lambda node, link: log_reader.read(link, node, wanted), timeout=limit)
    call.report.problems_of(found)
    read = {name: each for name, each in found.items() if not isinstance(each, OperationProblem)}
    writer = _Writer(call, nodes, wanted, follow)
    for entry in in_order(each.entries for each in read.values()):
        writer.write(entry)
    if follow:
        _follow(call, [node for node in nodes if node.name in read], read, wanted, writer)
    elif call.report.as_json:
        for name, each in read.items():
            call.report.host(name, [_record(entry) for entry in each.entries])


def _wanted(milestones: bool, text: str | None, lines: str | None) -> Wanted:
    moment = None if text is None else since(text, time.time())
    if lines is None:
        count = DEFAULT_LINES if moment is None else None
    else:
        count = int(number(lines, "--lines", least=1, most=MOST_LINES, whole=True))
    return Wanted(count, moment, milestones)


def _follow(call: Call, nodes: list[Node], read: dict[str, Read], wanted: Wanted, writer: _Writer) -> None:
    limit = LONGEST if call.limit is None else call.limit

    def work(node: Node, link: Link) -> None:
        try:
            log_reader.follow(link, node, read[node.name], replace(wanted, since=None), writer.write, timeout=limit)
        except Interrupted:
            raise
        except OperationProblem as problem:
            writer.problem(problem)

    try:
        on_all(nodes, work, timeout=limit + GRACE)
    except KeyboardInterrupt:
        # Ctrl-C is the normal end.
        return


class _Writer:
    """Shows lines of all hosts' threads."""

    def __init__(self, call: Call, nodes: tuple[Node, ...], wanted: Wanted, follow: bool) -> None:
        self._report = call.report
        self._follow = follow
        self._lock = threading.Lock()
        width = max(len(name) for node in nodes for name in (node.name, *map(partial(_origin, node), node.native)))
        self._width = width
        self._milestones = wanted.milestones

    def write(self, entry: Entry) -> None:
        """Show one line."""
        with self._lock:
            if self._follow and self._report.as_json:
                self._report.line(json.dumps(_record(entry)))
            else:
                self._report.say(shown(entry, self._width, milestones=self._milestones))

    def problem(self, problem: OperationProblem) -> None:
        """Show one problem, at once."""
        with self._lock:
            self._report.problem(problem)


def _origin(node: Node, unit: str) -> str:
    return f"{node.name}/{unit.removeprefix('kaspa-')}"


def _record(entry: Entry) -> dict[str, object]:
    return {"time": entry.time, "origin": entry.origin, "milestone": entry.milestone, "text": entry.text}
