"""Who holds a lock, in words, and whether that run is still alive."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import util
from types import ModuleType

import pytest
from ansible.plugins.loader import init_plugin_loader

from tests.unit.ansible.conftest import PLUGINS

NOW = datetime(2026, 11, 30, 23, 15, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def action() -> ModuleType:
    """The action has the module's name, so it is loaded by its path."""
    init_plugin_loader()
    spec = util.spec_from_file_location("kaspa_lock_action", PLUGINS / "action" / "kaspa_lock.py")
    assert spec
    assert spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def holder(run: str, since: str = "2026-11-30T23:12:05+00:00") -> dict[str, str]:
    return {"id": run, "who": "ann@laptop", "what": "deploy.yml", "since": since}


def test_a_running_process_is_not_dead(action: ModuleType) -> None:
    assert not action.dead(holder(action.run_id(os.getpid())))


def test_a_process_that_has_ended_is_dead(action: ModuleType) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run = action.run_id(process.pid)
        assert not action.dead(holder(run))
    assert action.dead(holder(run))


def test_another_process_with_the_same_number_is_another_run(action: ModuleType) -> None:
    assert action.dead(holder(f"{action.controller()}:{os.getpid()}:1"))


@pytest.mark.parametrize("run", ["another-controller:1:1", f"{platform.node()}:1:1", "unknown", "", "a:b", ":::"])
def test_of_another_controllers_run_nothing_is_known(action: ModuleType, run: str) -> None:
    assert not action.dead(holder(run))


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("2026-11-30T23:12:05+00:00", "ann@laptop, deploy.yml, since 2026-11-30 23:12:05 UTC (3 min ago)"),
        ("unknown", "ann@laptop, deploy.yml, since unknown"),
        ("2026-11-30T23:12:05", "ann@laptop, deploy.yml, since 2026-11-30T23:12:05"),
    ],
)
def test_a_holder_is_described_in_one_line(action: ModuleType, since: str, said: str) -> None:
    assert action.described(holder("x", since), NOW) == said
