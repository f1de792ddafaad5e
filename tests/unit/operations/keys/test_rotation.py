"""What a rotation refuses before it changes anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from operations.inventory import CHECKOUT, Inventory
from operations.inventory_loader import load
from operations.keys import place, rotation
from operations.problems import HostProblem, UsageProblem
from operations.report import Report
from tests.unit.operations.hosts import inventory, node

OLD = "12D3KooWOldOldOldOldOldOldOldOldOldOldOldOldOldOldOldO"
HOSTS = """
all:
  children:
    relays: {{hosts: {{relay: {{ansible_host: 203.0.113.10, kaspa_relay_allow: [{0}]}}}}}}
    peers: {{hosts: {{server: {{ansible_host: 10.2.0.2, kaspa_peer_announce: {1}}}}}}}
"""


def written(directory: Path, allowed: str, announced: str = "[]") -> Inventory:
    shutil.copytree(CHECKOUT / "inventory/lab/group_vars", directory / "group_vars")
    (directory / "hosts.yml").write_text(HOSTS.format(allowed, announced))
    return load(str(directory))


def test_an_id_that_the_inventory_itself_names_would_come_back(tmp_path: Path) -> None:
    found = written(tmp_path, OLD)
    with pytest.raises(UsageProblem, match=f"^relay: .* names {OLD} in kaspa_relay_allow: remove it there first"):
        rotation.refuse_hand_written(found, OLD)


def test_also_as_a_part_of_an_address(tmp_path: Path) -> None:
    found = written(tmp_path, "any", f"[/ip4/203.0.113.30/tcp/4012/p2p/{OLD}]")
    with pytest.raises(UsageProblem, match="^server: .* in kaspa_peer_announce"):
        rotation.refuse_hand_written(found, OLD)


def test_others_are_nobodys_business(tmp_path: Path) -> None:
    rotation.refuse_hand_written(written(tmp_path, f"{OLD}x".replace("Old", "New")), OLD)


def fleet(directory: Path) -> tuple[Inventory, Path]:
    """An inventory of a relay and a server, and where its state file belongs."""
    written(directory, "any")
    variables = directory / "group_vars" / "all.yml"
    # The lab's state file lies elsewhere.
    kept = [line for line in variables.read_text().splitlines() if not line.startswith("kaspa_fleet_state_file:")]
    variables.write_text("\n".join(kept))
    return load(str(directory)), directory / ".kaspa" / "hosts.yml.json"


def known(file: Path, *names: str) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps({"hosts": {name: {"role": "peer", "peer_id": OLD} for name in names}}))


def test_a_state_file_that_can_be_used_is_left_alone(tmp_path: Path) -> None:
    found, file = fleet(tmp_path)
    rotation.check_state(found, {})
    assert not file.parent.exists()
    known(file, "relay")
    before = file.stat()
    rotation.check_state(found, {})
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_state_file_that_deploy_could_not_use_ends_a_rotation_before_it_begins(tmp_path: Path) -> None:
    found, file = fleet(tmp_path)
    file.parent.mkdir()
    file.write_text("{")
    with pytest.raises(UsageProblem, match=r"^nothing was changed: .*hosts\.yml\.json is damaged"):
        rotation.check_state(found, {})


def test_so_does_one_that_can_not_be_written(tmp_path: Path) -> None:
    found, file = fleet(tmp_path)
    file.parent.write_text("")
    with pytest.raises(UsageProblem, match="^nothing was changed: .* can't be read: not a directory"):
        rotation.check_state(found, {})


def test_so_does_one_that_knows_nothing_of_a_host_that_is_off(tmp_path: Path) -> None:
    found, file = fleet(tmp_path)
    off = {"server": HostProblem("connection refused", "server")}
    with pytest.raises(UsageProblem, match=r"^server: nothing was changed: it is off, and .*hosts\.yml\.json does not"):
        rotation.check_state(found, off)
    known(file, "server")
    rotation.check_state(found, off)


def test_what_a_relay_has_carried_once_is_history() -> None:
    status = {"role": "relay", "reservations": [{"peer_id": "new"}], "pairs": [{"src": "old", "dst": "server"}]}
    assert not rotation.holds(status, "old")
    assert rotation.holds(status, "new")
    assert rotation.holds({"sessions": [{"peer_id": "old"}]}, "old")


def test_a_host_that_is_off_does_not_stop_a_rotation_but_the_host_itself_must_be_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = inventory(node("relay", "relay"), node("server"), node("client"))
    off = HostProblem("connection refused", "server")
    same = place.Tracks(True, "", "")
    answers = {"relay": (f"allow {OLD}", same, ""), "server": off, "client": (OLD, same, OLD)}
    monkeypatch.setattr(rotation, "on_all", lambda nodes, work, timeout: answers)
    monkeypatch.setattr(rotation, "check_state", lambda fleet, off: None)
    report = Report("rotate-key", dry_run=True)
    scene = rotation.Scene(fleet, (), report, 5.0, "run")

    rotation.rotate(scene, fleet.node("client"))
    shown = capsys.readouterr()
    assert "deploy.yml run, so that relay, client no longer name" in shown.out
    assert shown.err == (
        f"server: is off (connection refused): it still trusts the old id {OLD}; run deploy.yml when it is back\n"
    )
    assert report.exit_code == 2
    with pytest.raises(HostProblem, match="connection refused"):
        rotation.rotate(scene, fleet.node("server"))
