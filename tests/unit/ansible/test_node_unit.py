"""The node's systemd unit, rendered, beside what the node itself says of its threads and its watchdog."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import yaml
from jinja2 import Environment, FileSystemLoader

from kaspa_node.kaspa.grpc_loop import OURS, THREADS, TRIOS
from kaspa_node.service_manager import FEEDS

ROLE = Path(__file__).resolve().parents[3] / "roles" / "kaspa_node"


@pytest.fixture
def unit() -> list[str]:
    """The lines of a peer's unit."""
    environment = Environment(loader=FileSystemLoader(ROLE / "templates"), autoescape=False)
    environment.globals["lookup"] = lambda kind, name: (ROLE / "files" / name).read_text(encoding="utf-8")
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    return environment.get_template("node.service.j2").render(variables).splitlines()


def setting(unit: list[str], name: str) -> str:
    (value,) = (line.partition("=")[2] for line in unit if line.startswith(f"{name}="))
    return value


def test_the_unit_has_room_for_twice_the_threads_of_a_node(unit: list[str]) -> None:
    assert int(setting(unit, "TasksMax")) == 2 * THREADS


@pytest.mark.trio
async def test_trios_threads_are_counted_as_trio_has_them() -> None:
    assert trio.to_thread.current_default_thread_limiter().total_tokens == TRIOS
    assert OURS == 2


def test_systemd_restarts_a_node_that_stands_still(unit: list[str]) -> None:
    assert (setting(unit, "Type"), setting(unit, "NotifyAccess"), setting(unit, "Restart")) == (
        "notify",
        "main",
        "always",
    )
    # Longer than any honest pause of a busy host, and several datagrams fit in.
    assert int(setting(unit, "WatchdogSec")) / FEEDS >= 5
    # What SIGABRT leaves behind must not hold the node's key.
    assert setting(unit, "LimitCORE") == "0"
