"""A node's key on its host: its peer id, and its replacement. The key itself stays on the host."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from operations import ask
from operations.inventory import Node
from operations.link import Link
from operations.problems import HostProblem

PROGRAM = Path(__file__).with_name("host_program.py").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Tracks:
    """The state of a rotation on a host. key: whether there is one. old, new: peer ids, "" if there is no rotation."""

    key: bool
    old: str
    new: str


def look(link: Link, node: Node) -> Tracks:
    """The state of a rotation. Raises HostProblem."""
    found = _program(link, node, "look")
    record = found.get("record") or {}
    return Tracks(bool(found.get("key")), str(record.get("old", "")), str(record.get("new", "")))


def begin(link: Link, node: Node, old: str) -> str:
    """Make the new key beside the old one; returns its peer id. Raises OperationProblem."""
    directory = f"{node.paths.state_dir}/rotation"
    environment = {**node.paths.environment, "KASPA_NODE_STATE_DIR": directory}
    new = ask.identity(link, replace(node, paths=replace(node.paths, environment=environment)))
    _program(link, node, "begin", json.dumps({"old": old, "new": new}))
    return new


def swap(link: Link, node: Node) -> None:
    """Switch to the new key and destroy the old one; does nothing if this was done already. Raises HostProblem."""
    _program(link, node, "swap")


def end(link: Link, node: Node) -> None:
    """Remove the record of the rotation. Raises HostProblem."""
    _program(link, node, "end")


def _program(link: Link, node: Node, *words: str) -> dict[str, Any]:
    what, *more = words
    as_user = ["runuser", "-u", node.paths.user, "--"] if node.paths.user else []
    ran = link.run([*as_user, node.paths.command[0], "-I", "-B", "-c", PROGRAM, what, node.paths.state_dir, *more])
    if not ran.ok:
        raise HostProblem(f"its key can't be changed: {ran.complaint}", node.name)
    found: dict[str, Any] = json.loads(ran.out)
    return found
