"""`fab status`."""

from __future__ import annotations

from typing import Any

from operations import ask
from operations.fleet import on_all
from operations.inventory import Node
from operations.link import Link
from operations.operation import Call, operation
from operations.problems import OperationProblem


@operation(help={"host": "only these hosts, with commas"})
def status(call: Call, host: str | None = None) -> None:
    """Every host: unit, since when, version, peer id, reservations, sessions with path and bytes."""

    def look(node: Node, link: Link) -> dict[str, Any]:
        return ask.status(link, node)

    found = on_all(call.inventory.some(host), look, timeout=call.timeout)
    call.report.problems_of(found)
    for name, answer in found.items():
        if not isinstance(answer, OperationProblem):
            call.report.host(name, answer)
            call.report.say(f"{name}: {answer['peer_id']}")
