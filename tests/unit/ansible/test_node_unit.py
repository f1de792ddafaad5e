"""The node's systemd unit, rendered, beside what the node itself says of its threads and its watchdog."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio
import yaml
from jinja2 import Environment, FileSystemLoader

from kaspa_node.kaspa.grpc_loop import OURS, THREADS, TRIOS
from kaspa_node.service_manager import FEEDS

ROLE = Path(__file__).resolve().parents[3] / "roles" / "kaspa_node"


def render(**variables: Any) -> list[str]:
    """The lines of a peer's unit."""
    environment = Environment(
        loader=FileSystemLoader(ROLE / "templates"), autoescape=False, trim_blocks=True, keep_trailing_newline=True
    )
    environment.globals["lookup"] = lambda kind, name: (ROLE / "files" / name).read_text(encoding="utf-8")
    environment.filters["hash"] = lambda text, kind: hashlib.new(kind, text.encode()).hexdigest()
    environment.filters["flatten"] = lambda found: found[0] if isinstance(found[0], list) else found
    known = {
        **yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8")),
        **yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8")),
    }
    return environment.get_template("node.service.j2").render({**known, **variables}).splitlines()


@pytest.fixture
def unit() -> list[str]:
    return render()


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


def test_settings_of_the_inventory_follow_those_of_the_role() -> None:
    unit = render(
        kaspa_node_role_unit_settings={"SupplementaryGroups": "kaspad"},
        kaspa_node_unit_settings={"MemoryMax": "300M", "PrivateUsers": "no", "SupplementaryGroups": ["a", "b"]},
    )
    service = unit[unit.index("[Service]") : unit.index("[Install]")]
    given = [line for line in service if line.startswith(("Supplementary", "MemoryMax", "PrivateUsers"))]
    # systemd takes the last line, or, of a setting that is a list, all of them.
    assert given == [
        "PrivateUsers=yes",
        "SupplementaryGroups=kaspad",
        "MemoryMax=300M",
        "PrivateUsers=no",
        "SupplementaryGroups=a",
        "SupplementaryGroups=b",
    ]


def test_another_unit_has_another_digest(unit: list[str]) -> None:
    digests = [
        setting([line.removeprefix("Environment=") for line in each], "KASPA_UNIT")
        for each in (unit, render(), render(kaspa_node_unit_settings={"MemoryMax": "300M"}))
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="this machine has no systemd-analyze")
@pytest.mark.parametrize(("settings", "said"), [({}, ""), ({"Nonsense": 1}, "Unknown key 'Nonsense'")])
def test_systemd_says_what_it_can_not_read(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    program, file = tmp_path / "bin" / "kaspa-node", tmp_path / "written-by-ansible"
    program.parent.mkdir()
    program.touch(mode=0o755)
    unit = render(_kaspa_node_release=str(tmp_path), kaspa_node_unit_settings=settings, kaspa_node_user="root")
    file.write_text("\n".join(unit), encoding="utf-8")
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    words = f"{variables['_kaspa_node_verify_unit'] % file}:kaspa-peer.service".split()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode != 0, said in done.stderr) == (bool(said), True), done.stderr
