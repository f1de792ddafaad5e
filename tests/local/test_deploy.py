"""Deploy, verify and uninstall with plain processes. Each test goes on where the last one ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.local import lab as local
from lab.local.state import NAMESPACES
from lab.paths import Paths
from tests.fabric import fab
from tests.playbooks import play, report, well

PATHS = Paths()
NAMES = ("relay", "server", "client")
NOTHING = dict.fromkeys(NAMES, 0)


def left() -> set[Path]:
    """What there is of any host's node."""
    return {path for name in NAMES for path in (PATHS.local / name).rglob("*")}


@pytest.fixture(scope="module", autouse=True)
def fresh() -> Iterator[None]:
    """A local lab without nodes, newly brought up; it is gone afterwards."""
    local.up(PATHS)
    well(play("playbooks/uninstall.yml", "local"))
    local.down(PATHS)
    local.up(PATHS)
    yield
    local.down(PATHS)


def test_a_precheck_without_problems_says_so() -> None:
    played = well(play("playbooks/precheck.yml", "local"))
    assert "No problem was found. Next: ansible-playbook -i inventory/local deploy.yml" in played.output
    assert left() == set()


def test_check_mode_changes_nothing() -> None:
    well(play("deploy.yml", "local", "--check"))
    assert left() == set()


def test_deploy_ends_with_a_session() -> None:
    played = play("deploy.yml", "local")
    well(played)
    assert "outgoing session, direct" in played.output


def test_a_second_deploy_changes_nothing() -> None:
    played = play("deploy.yml", "local")
    well(played)
    assert played.changed == NOTHING


def test_verify_proves_the_direct_path() -> None:
    played = play("verify.yml", "local")
    assert played.exit_code == 0, played.output[-4000:]
    assert (report()["verdict"], report()["path"]) == ("PASS", "direct")


def test_a_capture_sees_the_session_at_both_nats_and_not_at_the_relay() -> None:
    state = local.State.read(local.state_file(PATHS))
    if state is None or state.mode != NAMESPACES:
        pytest.skip("there are no NATs on loopback")
    done = fab(
        "capture", "client", "server", "--seconds", "2", "--pings", "10", "--inventory", "inventory/local", "--json"
    )
    assert (done.code, done.err) == (0, "")
    shutil.rmtree(done.document["directory"])
    places = done.document["hosts"]
    between = {("203.0.113.20:4012", "203.0.113.30:4012"), ("203.0.113.30:4012", "203.0.113.20:4012")}
    for router in ("nat-client", "nat-server"):
        assert {(flow["from"], flow["to"]) for flow in places[router]["flows"]} == between
    assert places["client"]["packets"] == places["server"]["packets"] > 0
    assert places["relay"]["packets"] == 0


def test_verify_fails_where_another_path_was_expected_than_came_about() -> None:
    played = play("verify.yml", "local", "-e", "kaspa_verify_policy=relay-only")
    assert played.exit_code != 0
    assert (report()["path"], report()["exit_code"]) == ("relayed", 3)


def processes() -> dict[str, int]:
    """The process of each host's node."""
    return {name: json.loads(next((PATHS.local / name).glob("kaspa-*.json")).read_text())["pid"] for name in NAMES}


def restarted_by(setting: str) -> set[str]:
    """Whose node another setting has restarted; the same once more changes nothing."""
    before = processes()
    first, second = play("deploy.yml", "local", "-e", setting), play("deploy.yml", "local", "-e", setting)
    well(first)
    well(second)
    assert second.changed == NOTHING
    after = processes()
    return {name for name in NAMES if after[name] != before[name]}


def test_another_log_level_is_taken_by_the_nodes_as_they_run() -> None:
    assert restarted_by("kaspa_node_log_level=debug") == set()
    for name in NAMES:
        assert "applied: log_level" in next((PATHS.local / name).glob("kaspa-*.log")).read_text()


def test_another_network_restarts_the_peers() -> None:
    assert restarted_by("kaspa_peer_network=simnet") == {"server", "client"}


def test_verify_takes_the_pair_that_is_asked_for() -> None:
    asked = {"client": "server", "server": "client", "relay": "relay"}
    played = play("verify.yml", "local", "-e", json.dumps({"kaspa_verify_pair": asked}))
    assert played.exit_code == 2, played.output[-4000:]
    # It dials nobody, so its journal knows nothing of the run.
    assert "missing: dial.started on server" in report()["reason"]


def test_an_upgrade_of_what_runs_this_checkout_changes_nothing() -> None:
    played = play("playbooks/upgrade.yml", "local", "-e", "kaspa_peer_network=simnet")
    well(played)
    assert played.changed == NOTHING


def test_plain_processes_have_no_release_to_go_back_to() -> None:
    played = play("playbooks/rollback.yml", "local")
    assert played.exit_code != 0
    assert "plain processes run the checkout itself, so no release is kept; check the earlier one out" in played.output


def test_uninstall_may_leave_the_key_and_the_next_deploy_has_the_same_peer_ids() -> None:
    keys = {name: (PATHS.local / name).rglob("identity.key") for name in NAMES}
    before = {name: next(found).read_bytes() for name, found in keys.items()}
    well(play("playbooks/uninstall.yml", "local", "-e", "kaspa_node_keep_identity=true"))
    assert {path.name for path in left() if path.is_file()} == {"identity.key"}
    well(play("deploy.yml", "local"))
    assert {name: next((PATHS.local / name).rglob("identity.key")).read_bytes() for name in NAMES} == before


def test_uninstall_leaves_nothing() -> None:
    well(play("playbooks/uninstall.yml", "local"))
    assert left() == set()


def test_a_second_uninstall_changes_nothing() -> None:
    played = play("playbooks/uninstall.yml", "local")
    well(played)
    assert played.changed == NOTHING
