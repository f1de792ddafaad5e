"""Upgrade to another release host after host, and back, on the deployed lab. Each test goes on where the last ended."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.waiting import until
from tests.lab.scenes import PATIENCE, UNITS, mend, on, peer_id
from tests.lab.test_operations_status import connected
from tests.playbooks import Played, play, well
from tests.releases import NEW_SETTING, next_release

NOTHING = dict.fromkeys(UNITS, 0)
UPGRADE, ROLLBACK = "playbooks/upgrade.yml", "playbooks/rollback.yml"
OUR_VERSION = "0.1.0"
RESTARTED = re.compile(r"^changed: \[(\w+)\]$", re.MULTILINE)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory, deployed: None) -> Iterator[Path]:
    """A checkout of the next release; ours is on the hosts, and at the end again."""
    well(play("deploy.yml", "lab"))
    yield next_release(tmp_path_factory.mktemp("newer"), "0.1.1")
    well(play("deploy.yml", "lab"))
    mend()


@pytest.fixture(scope="module")
def ids(deployed: None) -> dict[str, str]:
    return {name: peer_id(name) for name in UNITS}


def status(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(on(name, "/opt/kaspa-node/bin/kaspa-node status --json"))
    return found


def versions() -> dict[str, str]:
    """The version of the node that answers on each host."""
    return {name: status(name)["version"] for name in UNITS}


def settings(name: str) -> dict[str, Any]:
    return tomllib.loads(on(name, "cat /etc/kaspa-node/{relay,peer}.toml 2>/dev/null || true"))


def all_are(version: str, ids: dict[str, str]) -> None:
    """Every node runs that version as who it was, with a reservation or a session."""
    assert versions() == dict.fromkeys(UNITS, version)
    assert {name: status(name)["peer_id"] for name in UNITS} == ids
    assert [each["state"] for each in status("client")["sessions"]] == ["ready"]
    assert {each["peer_id"] for each in status("relay")["reservations"]} == {ids["server"], ids["client"]}


def restarted(played: Played) -> list[str]:
    """The hosts whose node was restarted, in order."""
    parts = re.split(r"^(?:TASK|RUNNING HANDLER) \[", played.output, flags=re.MULTILINE)
    starts = [part for part in parts if "Start the node, or restart it" in part.split("\n")[0]]
    return [name for part in starts for name in RESTARTED.findall(part)]


def test_check_mode_says_who_would_be_upgraded_and_changes_nothing(newer: Path) -> None:
    played = play(UPGRADE, "lab", "--check", checkout=newer)
    well(played)
    assert "nothing was changed. To be upgraded: relay, server, client." in played.output
    assert versions() == dict.fromkeys(UNITS, OUR_VERSION)


def test_relays_are_upgraded_first_then_those_that_are_dialed(newer: Path, ids: dict[str, str]) -> None:
    played = play(UPGRADE, "lab", checkout=newer)
    well(played)
    assert restarted(played) == ["relay", "server", "client"]
    assert "Upgraded: relay, server, client." in played.output
    all_are("0.1.1", ids)
    assert settings("client")[NEW_SETTING] is True


@pytest.mark.usefixtures("ids")
def test_a_second_upgrade_has_nothing_to_do(newer: Path) -> None:
    played = play(UPGRADE, "lab", checkout=newer)
    well(played)
    assert played.changed == NOTHING
    assert "Nothing to do: every host runs this checkout's release." in played.output


@pytest.mark.usefixtures("newer")
def test_check_mode_says_who_would_be_rolled_back_and_changes_nothing() -> None:
    played = play(ROLLBACK, "lab", "--check")
    well(played)
    assert "nothing was changed. To be rolled back: relay, server, client." in played.output
    assert versions() == dict.fromkeys(UNITS, "0.1.1")


@pytest.mark.usefixtures("newer")
def test_rollback_has_the_release_before_with_its_settings_and_needs_no_packages(ids: dict[str, str]) -> None:
    played = play(ROLLBACK, "lab", environ={"PIP_INDEX_URL": "http://192.0.2.1/none", "PIP_NO_INDEX": "1"})
    well(played)
    assert restarted(played) == ["relay", "server", "client"]
    assert "wheels" not in played.output
    all_are(OUR_VERSION, ids)
    assert NEW_SETTING not in settings("client")


@pytest.mark.usefixtures("newer")
def test_a_second_rollback_has_nothing_to_do() -> None:
    played = play(ROLLBACK, "lab")
    well(played)
    assert played.changed == NOTHING
    assert re.search(r"Nothing to do:\n +relay runs the release before already\n", played.output)


@pytest.mark.usefixtures("newer")
def test_the_files_after_a_rollback_are_those_of_a_deploy_of_that_release() -> None:
    played = play("deploy.yml", "lab")
    well(played)
    assert played.changed == NOTHING


def test_an_upgrade_stops_at_the_first_host_that_fails(newer: Path, tmp_path: Path, ids: dict[str, str]) -> None:
    broken = next_release(tmp_path / "broken", "0.1.2", broken_peer=True)
    played = play(UPGRADE, "lab", "-e", "kaspa_node_start_timeout=5", checkout=broken)
    assert played.exit_code != 0
    said = " ".join(played.output.split())
    assert "server: kaspa-peer is not reserved after 5 s: " in said
    assert "The hosts after it were not touched: client." in said
    assert "ansible-playbook playbooks/rollback.yml" in said
    assert restarted(played) == ["relay", "server"]
    assert status("client")["version"] == OUR_VERSION

    back = play(ROLLBACK, "lab")
    well(back)
    assert restarted(back) == ["relay", "server"]
    assert "client does not run the release that is rolled back" in back.output
    # Nobody waits for a host that is not rolled back: the client dials again by itself.
    assert until(connected, timeout=2 * PATIENCE, pause=0.2), status("client")
    all_are(OUR_VERSION, ids)


@pytest.mark.usefixtures("newer")
def test_an_upgrade_of_one_host_keeps_what_the_others_need(ids: dict[str, str]) -> None:
    played = play(UPGRADE, "lab", "--limit", "client")
    well(played)
    assert "Nothing to do: every host runs this checkout's release." in played.output
    all_are(OUR_VERSION, ids)
