"""Starting and stopping nodes: what is done, what is said of it, and until when is waited."""

from __future__ import annotations

from typing import Any

import pytest

from operations import services
from operations.problems import HostProblem, OperationProblem
from operations.services import parse_units
from tests.unit.operations.hosts import ScriptedLink, node, printed


def unit(state: str = "active", pid: int = 7, name: str = "kaspa-peer", **more: object) -> str:
    """What systemctl prints of a unit."""
    values = {
        "Id": f"{name}.service",
        "LoadState": "loaded",
        "ActiveState": state,
        "Result": "success",
        "MainPID": pid if state == "active" else 0,
        "InvocationID": "abc",
        "NRestarts": 0,
        "ActiveEnterTimestamp": "@1000",
        "InactiveEnterTimestamp": "@2000",
        **more,
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def process(active: bool, known: bool = True) -> dict[str, Any]:
    """What the code of kaspa_process says of one."""
    pid = 7 if active else 0
    return {"name": "kaspa-peer", "active": active, "pid": pid, "invocation": "7-1", "since": 5.0, "known": known}


NO_UNIT = unit("inactive", LoadState="not-found", InactiveEnterTimestamp="")
SILENT = printed("", 1, "kaspa-node: no node answers")


def test_units_as_systemd_shows_them() -> None:
    found = parse_units("\n".join([unit(NRestarts=2), unit("failed", name="kaspa-native-server", Result="exit-code")]))
    assert [(each.name, each.active, each.pid, each.since, each.restarts, each.result) for each in found] == [
        ("kaspa-peer", True, 7, 1000.0, 2, ""),
        ("kaspa-native-server", False, 0, 2000.0, 0, "exit-code"),
    ]
    assert (parse_units(NO_UNIT)[0].state, parse_units(NO_UNIT)[0].since) == ("not-found", None)


def test_native_programs_are_asked_for_in_the_same_call() -> None:
    link = ScriptedLink({"show": unit() + "\n" + unit(name="kaspa-native-server")})
    assert set(services.states(link, node(kaspa_native_programs=["server"]))) == {"kaspa-peer", "kaspa-native-server"}
    assert link.asked[0][-2:] == ["kaspa-peer.service", "kaspa-native-server.service"]


def test_a_start_waits_until_the_node_that_was_started_answers() -> None:
    link = ScriptedLink({"show": [unit("inactive"), unit()], "start": "", "status": [SILENT, {"pid": 7}]})
    change = services.act(link, node(), "start", timeout=20)
    assert (change.text, change.state.pid) == ("kaspa-peer started (pid 7)", 7)
    assert ["systemctl", "start", "kaspa-peer.service"] in link.asked


def test_a_restart_waits_for_the_new_process() -> None:
    link = ScriptedLink({"show": [unit(pid=6), unit()], "restart": "", "status": [{"pid": 6}, {"pid": 7}]})
    assert services.act(link, node(), "restart", timeout=20).text == "kaspa-peer restarted (pid 7)"


def test_a_stop() -> None:
    link = ScriptedLink({"show": [unit(), unit("inactive")], "stop": ""})
    assert services.act(link, node(), "stop", timeout=20).text == "kaspa-peer stopped"


@pytest.mark.parametrize(("action", "state"), [("start", "active"), ("stop", "inactive"), ("stop", "failed")])
def test_what_is_so_already_is_left_alone(action: services.Action, state: str) -> None:
    link = ScriptedLink({"show": unit(state)})
    assert services.act(link, node(), action, timeout=20).text is None
    assert len(link.asked) == 1


@pytest.mark.parametrize(
    ("action", "state", "text"),
    [
        ("start", "inactive", "kaspa-peer started"),
        ("stop", "active", "kaspa-peer stopped"),
        ("restart", "active", "kaspa-peer restarted"),
        ("start", "active", None),
    ],
)
def test_a_dry_run_only_looks(action: services.Action, state: str, text: str | None) -> None:
    link = ScriptedLink({"show": unit(state)})
    assert services.act(link, node(), action, timeout=20, dry_run=True).text == text
    assert len(link.asked) == 1


def test_nothing_deployed() -> None:
    with pytest.raises(HostProblem, match="^client: no kaspa-peer is deployed there: ansible-playbook deploy.yml$"):
        services.act(ScriptedLink({"show": NO_UNIT}), node(), "start", timeout=20)


def test_a_node_that_ends_at_once_is_told_with_its_last_line() -> None:
    script = {"show": [unit("inactive"), unit("failed")], "start": "", "status": SILENT}
    link = ScriptedLink({**script, "--lines=1": 'network: "x" is none\n'})
    with pytest.raises(
        OperationProblem, match='^client: kaspa-peer does not run: its log ends with: network: "x" is none'
    ):
        services.act(link, node(), "start", timeout=20)


def test_a_node_that_does_not_answer_in_time() -> None:
    link = ScriptedLink({"show": [unit("inactive"), unit()], "start": "", "status": SILENT, "--lines=1": ""})
    with pytest.raises(OperationProblem, match="does not answer after 0 s: no node answers; its log is empty$"):
        services.act(link, node(), "start", timeout=0)


def test_another_process_on_the_nodes_socket() -> None:
    link = ScriptedLink({"show": [unit("inactive"), unit()], "start": "", "status": {"pid": 99}})
    with pytest.raises(OperationProblem, match="another process than kaspa-peer's answers on /run/kaspa-node/control"):
        services.act(link, node(), "start", timeout=0)


def test_systemd_refuses() -> None:
    script = {"show": unit("inactive"), "start": printed("", 1, "Failed: no"), "--lines=1": "the end\n"}
    with pytest.raises(OperationProblem, match="can't be started: Failed: no; its log ends with: the end$"):
        services.act(ScriptedLink(script), node(), "start", timeout=20)


def test_systemd_can_not_be_asked() -> None:
    with pytest.raises(HostProblem, match="^client: systemd can't be asked: no bus$"):
        services.state(ScriptedLink({"show": printed("", 1, "no bus")}), node())


def test_a_plain_process() -> None:
    link = ScriptedLink({"look": [process(False), process(True)], "start": process(True), "status": {"pid": 7}})
    change = services.act(link, node(manager="process"), "start", timeout=20)
    assert (change.text, change.state.since) == ("kaspa-peer started (pid 7)", 5.0)


def test_a_plain_process_that_ends_at_once() -> None:
    link = ScriptedLink({"look": process(False), "start": process(False), "status": SILENT, "tail": "no such key\n"})
    with pytest.raises(OperationProblem, match="does not run: its log ends with: no such key$"):
        services.act(link, node(manager="process"), "start", timeout=20)


def test_a_plain_process_that_was_never_deployed() -> None:
    state = services.state(ScriptedLink({"look": process(False, known=False)}), node(manager="process"))
    assert state.state == "not-found"


def test_a_plain_process_that_can_not_be_started() -> None:
    link = ScriptedLink({"look": process(False), "start": printed("", 1, "x.json does not say how to start it")})
    with pytest.raises(OperationProblem, match=r"^client: kaspa-peer: x\.json does not say how"):
        services.act(link, node(manager="process"), "start", timeout=20)
