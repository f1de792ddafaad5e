"""`fab dial`: a fresh session, from the dial through the relay on."""

from __future__ import annotations

from typing import Any

from kaspa_node.cli import render
from kaspa_node.constants import PATH_POLICIES, PREFER_DIRECT, RELAY_ONLY
from operations import ask
from operations.fleet import on_all
from operations.inventory import Inventory, Node
from operations.link import Link
from operations.operation import Call, operation
from operations.problems import OperationProblem, UsageProblem

LONGEST_SECONDS = 600.0
"""What a node accepts (kaspa_node/node/requests.py)."""

_GRACE = 20.0


@operation(
    timeout=60.0,
    changes=True,
    help={
        "a": "the peer that dials",
        "b": "the peer that it dials",
        "policy": f"instead of the peer's own: {', '.join(PATH_POLICIES)}",
    },
)
def dial(call: Call, a: str, b: str, policy: str | None = None) -> None:
    """Replace the session of A with B by a fresh one: path, hole punch and timings, or why there is none."""
    if policy is not None and policy not in PATH_POLICIES:
        raise UsageProblem(f"--policy {policy!r} is none of {', '.join(PATH_POLICIES)}")
    if call.timeout > LONGEST_SECONDS:
        raise UsageProblem(f"--timeout {call.timeout:g} is more than the {LONGEST_SECONDS:g} s that a dial may take")
    dialer, dialed = dialing(call.inventory, a, b)

    def work(node: Node, link: Link) -> dict[str, Any]:
        status = ask.status(link, node)
        for replaced in _with(status, dialed.name):
            call.report.changed(f"the session {replaced} with {dialed.name} is ended for a fresh one", node.name)
        if call.dry_run:
            return {}
        return ask.session(link, node, dialed.name, timeout=call.timeout, policy=policy)

    found = on_all([dialer], work, timeout=call.timeout + _GRACE)[dialer.name]
    if isinstance(found, OperationProblem):
        raise found
    if not call.dry_run:
        _show(call, dialer, dialed, found, policy or str(dialer.variable("kaspa_peer_path_policy", PREFER_DIRECT)))


def dialing(inventory: Inventory, a: str, b: str) -> tuple[Node, Node]:
    """The two peers; the first keeps a session with the second. Raises UsageProblem."""
    dialer, dialed = inventory.pair(a, b)
    if dialed.name in dialer.dials:
        return dialer, dialed
    if dialer.name in dialed.dials:
        raise UsageProblem(f"{a} does not dial {b}, {b} dials {a}: fab dial {b} {a}")
    known = ", ".join(dialer.dials) or "nobody"
    raise UsageProblem(f"{a} does not dial {b}, it dials {known}; see kaspa_peer_dials in {inventory.source}")


def _with(status: dict[str, Any], name: str) -> list[str]:
    """The sessions that a peer has opened to the remote of that name."""
    ids = {row.get("peer_id") for row in status.get("remotes") or () if row.get("name") == name}
    rows = status.get("sessions") or ()
    return [row["session"] for row in rows if row.get("peer_id") in ids and row.get("direction") == "outgoing"]


def _show(call: Call, dialer: Node, dialed: Node, reply: dict[str, Any], policy: str) -> None:
    call.report.host(dialer.name, reply)
    call.report.changed(f"a fresh session with {dialed.name}: {reply.get('session') or reply.get('conn')}", dialer.name)
    call.report.say(render.session(reply))
    if policy != RELAY_ONLY and reply.get("path") != "direct":
        reason = (reply.get("punch") or {}).get("reason") or "no reason is given"
        raise OperationProblem(
            f"{reply.get('path')}, not direct: {reason}; try: fab doctor {dialer.name} {dialed.name}", dialer.name
        )
