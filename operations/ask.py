"""The node's own commands on its host, the same that verify uses: `kaspa-node … --json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from operations.inventory import Node
from operations.link import Link
from operations.problems import HostProblem, OperationProblem

_GRACE = 10.0
STATUS_SECONDS = 15.0


class NotAnswering(OperationProblem):
    """The node can't be asked, or refuses; the text is from the node's own command."""


def status(link: Link, node: Node) -> dict[str, Any]:
    """The node's status (docs/how-it-works.md). Raises NotAnswering, HostProblem."""
    return _ask(link, node, ["status"], STATUS_SECONDS)


def identity(link: Link, node: Node) -> str:
    """The peer id that belongs to the key on the host; makes a key if there is none. Raises NotAnswering."""
    words = ["identity", "--config", node.paths.config]
    return str(_ask(link, node, words, STATUS_SECONDS, control=False, user=node.paths.user)["peer_id"])


def session(
    link: Link, node: Node, remote: str, *, timeout: float, run: str | None = None, policy: str | None = None
) -> dict[str, Any]:
    """A fresh session with a remote, by its name or peer id. Raises NotAnswering with the reason, HostProblem."""
    words = ["session", remote, "--timeout", f"{timeout:g}"]
    words += ["--run", run] if run else []
    words += ["--policy", policy] if policy else []
    return _ask(link, node, words, timeout + _GRACE)


def exercise(link: Link, node: Node, session: str, *, pings: int, timeout: float) -> dict[str, Any]:
    """Kaspa pings each way over a session. Raises NotAnswering, HostProblem."""
    words = ["exercise", session, "--pings", str(pings), "--timeout", f"{timeout:g}"]
    return _ask(link, node, words, timeout + _GRACE)


def command(node: Node, words: Sequence[str], *, user: str | None = None) -> list[str]:
    """The command line of `kaspa-node WORDS` on the host. user: the user to run it as, instead of root."""
    as_user = ["runuser", "-u", user, "--"] if user else []
    variables = [f"{name}={value}" for name, value in node.paths.environment.items()]
    return [*as_user, *(["env", *variables] if variables else []), *node.paths.command, *words]


def _ask(
    link: Link, node: Node, words: Sequence[str], timeout: float, *, control: bool = True, user: str | None = None
) -> dict[str, Any]:
    where = ["--control", node.paths.control] if control else []
    ran = link.run(command(node, [*words, *where, "--json"], user=user), timeout=timeout)
    if ran.exit_code == 127:
        raise HostProblem(
            f"no node is installed there ({ran.complaint}); deploy it: ansible-playbook deploy.yml", node.name
        )
    if not ran.ok:
        raise NotAnswering(ran.complaint.removeprefix("kaspa-node: "), node.name)
    try:
        answer = json.loads(ran.out)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NotAnswering(f"`kaspa-node {words[0]}` printed no JSON object", node.name)
    return answer
