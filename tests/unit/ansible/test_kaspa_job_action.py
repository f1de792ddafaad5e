from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

PLUGIN = Path(__file__).resolve().parents[3] / "ansible" / "plugins" / "action" / "kaspa_job.py"

Answer = dict[str, Any] | Exception


def plugin() -> Any:
    """The action; the module of the same name is what `import kaspa_job` finds."""
    spec = importlib.util.spec_from_file_location("kaspa_job_action", PLUGIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Host:
    """Stands in for the module on the host, and for the connection; shows what the user is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: list[Answer], check_mode: bool = False) -> None:
        self.told: list[str] = []
        self.offsets: list[int] = []
        self._answers: Iterator[Answer] = iter(answers)
        found = plugin()
        monkeypatch.setattr(ActionBase, "run", lambda *_, **__: {})
        monkeypatch.setattr(found, "Display", lambda: SimpleNamespace(vvv=self.told.append))
        monkeypatch.setattr(found, "show", self.told.append)
        clock = iter(range(0, 100_000, 100))
        monkeypatch.setattr(found, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))
        self.action = found.ActionModule.__new__(found.ActionModule)
        arguments = {"name": "build", "argv": ["make"], "failure": "It can't be built"}
        self.action._task = SimpleNamespace(args=arguments, check_mode=check_mode, delegate_to=None)
        self.action._connection = SimpleNamespace()
        self.action._execute_module = self._module

    def _module(self, name: str, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        assert (name, "failure" in arguments) == ("kaspa.private_peers.kaspa_job", False)
        self.offsets.append(arguments["offset"])
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run(self) -> dict[str, Any]:
        result: dict[str, Any] = self.action.run(None, {"inventory_hostname": "client"})
        return result


def said(state: str, offset: int, *lines: str, why: str = "") -> dict[str, Any]:
    return {"state": state, "offset": offset, "lines": list(lines), "why": why}


def test_lines_are_shown_until_the_job_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, [said("running", 4, "one"), said("running", 4), said("done", 8, "two")])
    assert host.run() == {"state": "done", "lines": ["one", "two"], "changed": True}
    assert host.told == ["client: one", "client: two"]
    assert host.offsets == [-1, 4, 4]


def test_a_failure_says_the_last_line_and_how_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    result = Host(monkeypatch, [said("failed", 9, "error: no", "", why="exit code 101")]).run()
    assert (result["failed"], result["msg"]) == (True, "It can't be built: error: no (exit code 101)")
    result = Host(monkeypatch, [said("gone", 0, why="nobody knows how it ended")]).run()
    assert result["msg"] == "It can't be built: nobody knows how it ended"


def test_what_the_module_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    result = Host(monkeypatch, [{"failed": True, "msg": "another build.service is under way"}]).run()
    assert (result["failed"], result["msg"]) == (True, "It can't be built: another build.service is under way")


def test_a_lost_connection_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = AnsibleConnectionFailure("timed out")
    host = Host(monkeypatch, [said("running", 4, "one"), lost, said("done", 8, "two")])
    assert host.run()["lines"] == ["one", "two"]
    assert host.offsets == [-1, 4, 4]
    assert "client: out of reach; the program goes on there, and is asked after again" in host.told


def test_one_that_stays_lost_is_given_up_but_not_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = AnsibleConnectionFailure("timed out")
    with pytest.raises(AnsibleActionFail, match=r"out of reach for 300 s; the program goes on there, and the next run"):
        Host(monkeypatch, [said("running", 4, "one"), *[lost] * 9]).run()


def test_a_host_that_was_never_reached_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleConnectionFailure):
        Host(monkeypatch, [AnsibleConnectionFailure("no route to host")]).run()


def test_nothing_runs_in_check_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Host(monkeypatch, [], check_mode=True).run()["skipped"]
