"""The locks that a task holds: real files on this machine, which stands for each host."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from operations import locks
from operations.connection_settings import ConnectionSettings
from operations.inventory import Node
from operations.problems import HostProblem
from operations.report import Report
from tests.unit.operations.hosts import node

ANN = {"id": "another:1:1", "who": "ann@laptop", "what": "deploy.yml", "since": "2026-11-30T23:12:05+00:00"}
OURS = locks.kaspa_holder.run_id(os.getpid())


@pytest.fixture
def hosts(tmp_path: Path) -> list[Node]:
    here = ConnectionSettings(None, interpreter=sys.executable)
    nodes = [node(name, "peer") for name in ("server", "client")]
    return [
        replace(each, settings=here, paths=replace(each.paths, lock=str(tmp_path / f"{each.name}.lock")))
        for each in nodes
    ]


def held(hosts: Iterable[Node], report: Report | None = None, **more: Any) -> AbstractContextManager[locks.Held]:
    return locks.held(report or Report("restart"), hosts, timeout=20.0, **more)


def holders(hosts: Iterable[Node]) -> list[str | None]:
    found = [locks.kaspa_host_lock.look(host.paths.lock) for host in hosts]
    return [holder["id"] if holder else None for holder in found]


def test_hosts_are_locked_while_a_task_changes_them(hosts: list[Node]) -> None:
    with held(hosts) as locked:
        assert holders(hosts) == [OURS, OURS] == [locked.run] * 2
        assert (locks.kaspa_host_lock.look(hosts[0].paths.lock) or {})["what"] == "fab restart"
    assert holders(hosts) == [None, None]


def test_a_task_that_fails_releases_them_too(hosts: list[Node]) -> None:
    with pytest.raises(KeyboardInterrupt), held(hosts):
        raise KeyboardInterrupt
    assert holders(hosts) == [None, None]


def test_another_run_keeps_its_lock_and_nothing_is_held(hosts: list[Node]) -> None:
    locks.kaspa_host_lock.take(hosts[1].paths.lock, ANN)
    with pytest.raises(HostProblem) as caught, held(hosts):
        pytest.fail("the task began")
    assert str(caught.value).startswith("client: locked by ann@laptop, deploy.yml, since 2026-11-30 23:12:05 UTC (")
    assert str(caught.value).endswith(
        "nothing was changed; wait until that run has ended; if it is dead, add --break-lock"
    )
    assert holders(hosts) == [None, ANN["id"]]


@pytest.mark.parametrize("dead", [True, False], ids=["dead", "broken"])
def test_a_lock_is_taken_over(hosts: list[Node], capsys: pytest.CaptureFixture[str], dead: bool) -> None:
    before = {**ANN, "id": f"{locks.kaspa_holder.controller()}:{os.getpid()}:1"} if dead else ANN
    locks.kaspa_host_lock.take(hosts[0].paths.lock, before)
    with held(hosts, seize=not dead):
        assert holders(hosts) == [OURS, OURS]
    assert capsys.readouterr().out.startswith("server: the lock of ann@laptop, deploy.yml, since 2026-11-30 23:12:05")
    assert holders(hosts) == [None, None]


def test_an_interrupt_while_they_are_taken_leaves_none(hosts: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    on_all = locks.on_all

    def interrupted(nodes: Iterable[Node], work: Callable[..., Any], *, timeout: float) -> Any:
        found = on_all(nodes, work, timeout=timeout)
        monkeypatch.setattr(locks, "on_all", on_all)
        assert holders(hosts) == [OURS, OURS]
        assert found
        raise KeyboardInterrupt

    monkeypatch.setattr(locks, "on_all", interrupted)
    with pytest.raises(KeyboardInterrupt), held(hosts):
        pytest.fail("the task began")
    assert holders(hosts) == [None, None]


def test_a_host_that_can_not_be_asked_does_not_keep_the_others(hosts: list[Node]) -> None:
    gone = replace(hosts[0], settings=ConnectionSettings(None, interpreter="/nowhere/python3"))
    with held([gone, hosts[1]]) as locked:
        assert list(locked.off) == ["server"]
        assert holders(hosts) == [None, OURS]
    assert holders(hosts) == [None, None]


def test_a_dry_run_takes_none(hosts: list[Node]) -> None:
    locks.kaspa_host_lock.take(hosts[1].paths.lock, ANN)
    with held(hosts, Report("restart", dry_run=True)):
        assert holders(hosts) == [None, ANN["id"]]


def test_a_lock_that_can_not_be_released_is_named(hosts: list[Node], capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("restart")
    with held(hosts, report):
        directory = Path(hosts[0].paths.lock).parent
        kept = directory.rename(directory.with_name("elsewhere"))
        directory.write_text("")
    directory.unlink()
    kept.rename(directory)
    assert report.exit_code == 2
    assert "server: its lock can't be used: " in capsys.readouterr().err
    assert json.loads(Path(hosts[0].paths.lock).read_text())["id"] == OURS
    assert datetime.fromisoformat(json.loads(Path(hosts[0].paths.lock).read_text())["since"]).tzinfo == UTC
