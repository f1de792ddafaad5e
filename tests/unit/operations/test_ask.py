"""The node's own commands, asked on its host."""

from __future__ import annotations

import pytest

from operations import ask
from operations.ask import NotAnswering
from operations.problems import HostProblem
from tests.unit.operations.hosts import ScriptedLink, node, printed

CONTROL = ["--control", "/run/kaspa-node/control.sock", "--json"]


def test_status_asks_on_the_nodes_own_socket() -> None:
    link = ScriptedLink({"status": {"role": "peer"}})
    assert ask.status(link, node()) == {"role": "peer"}
    assert link.asked == [["/opt/kaspa-node/bin/python", "-m", "kaspa_node", "status", *CONTROL]]


def test_a_plain_process_is_asked_with_its_variables() -> None:
    link = ScriptedLink({"status": {}})
    ask.status(link, node(manager="process"))
    assert link.asked[0][:3] == ["env", "PYTHONPATH=/checkout", "/opt/kaspa-node/bin/python"]


def test_the_key_is_read_as_its_owner() -> None:
    link = ScriptedLink({"identity": {"peer_id": "12D3KooWx"}})
    assert ask.identity(link, node()) == "12D3KooWx"
    assert link.asked[0][:4] == ["runuser", "-u", "kaspa", "--"]
    assert "--control" not in link.asked[0]


def test_a_session_with_all_that_can_be_said_of_it() -> None:
    link = ScriptedLink({"session": {"path": "direct"}})
    answer = ask.session(link, node(), "server", timeout=20, run="r-1", policy="direct-only")
    assert answer == {"path": "direct"}
    words = ["session", "server", "--timeout", "20", "--run", "r-1", "--policy", "direct-only", *CONTROL]
    assert link.asked[0][3:] == words


def test_pings() -> None:
    link = ScriptedLink({"exercise": {"pings": 3}})
    assert ask.exercise(link, node(), "ab.1", pings=3, timeout=5) == {"pings": 3}
    assert link.asked[0][3:-3] == ["exercise", "ab.1", "--pings", "3", "--timeout", "5"]


def test_a_node_that_says_no_is_quoted() -> None:
    link = ScriptedLink({"status": printed("", 1, "kaspa-node: no control socket at /run/x: start the node\n")})
    with pytest.raises(NotAnswering, match="^client: no control socket at /run/x: start the node$"):
        ask.status(link, node())


def test_no_node_at_all() -> None:
    link = ScriptedLink({"status": printed("", 127, "/opt/kaspa-node/bin/python: No such file or directory\n")})
    with pytest.raises(HostProblem, match="^client: no node is installed there .*; deploy it: ansible-playbook"):
        ask.status(link, node())


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "null"])
def test_an_answer_that_is_none(text: str) -> None:
    with pytest.raises(NotAnswering, match="^client: `kaspa-node status` printed no JSON object$"):
        ask.status(ScriptedLink({"status": printed(text)}), node())
