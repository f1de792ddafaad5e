"""`fab status`."""

from __future__ import annotations

import time

from operations import ask, services
from operations.fleet import on_all
from operations.inventory import Node
from operations.link import Link
from operations.operation import Call, operation
from operations.overview import Seen, tables


@operation(help={"host": "only these hosts, with commas"})
def status(call: Call, host: str | None = None) -> None:
    """The state of every host: service, version, peer id, reservations, the path of each session."""
    found = on_all(call.inventory.some(host), look, timeout=call.timeout)
    seen = [each for each in found.values() if isinstance(each, Seen)]
    for each in seen:
        call.report.host(each.name, each.as_dict())
    for table in tables(seen, time.time()) if seen else ():
        call.report.table(table.title, table.head, table.rows)
    for outcome in found.values():
        problem = outcome.problem() if isinstance(outcome, Seen) else outcome
        if problem is not None:
            call.report.problem(problem)
        for lack in outcome.lacks() if isinstance(outcome, Seen) else ():
            call.report.problem(lack)


def look(node: Node, link: Link) -> Seen:
    """The state of one host. Raises HostProblem."""
    found = services.states(link, node)
    answer, error = None, None
    if found[node.service].active:
        try:
            answer = ask.status(link, node)
        except ask.NotAnswering as problem:
            error = problem.text
    return Seen(node.name, node.role, node.address, tuple(found.values()), answer, error)
