"""Runs on part of the fleet: --limit, a host that is down, one that fails, two operators. No other host changes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.local import lab as local
from lab.paths import Paths
from operations.locks import kaspa_holder
from tests.fabric import fab
from tests.playbooks import ROOT, Played, play, well

PATHS = Paths()
NAMES = ("relay", "server", "client")
STATE = PATHS.local / "fleet.json"
CONFIGS = {"relay": "relay.toml", "server": "peer.toml", "client": "peer.toml"}
REFUSED = "connect to host 127.0.0.1 port 9: Connection refused"


@pytest.fixture(scope="module", autouse=True)
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A local lab with nodes on it, and what its first deploy printed, which left out the relay. Gone afterwards."""
    # Other files' tests may have left a lab with nodes and a state file.
    local.down(PATHS)
    shutil.rmtree(PATHS.local, ignore_errors=True)
    local.up(PATHS)
    played = play("deploy.yml", "local", *down(tmp_path_factory.mktemp("first"), "relay"))
    well(play("deploy.yml", "local"))
    yield played
    play("playbooks/uninstall.yml", "local")
    local.down(PATHS)


def settings(tmp_path: Path, **variables: dict[str, Any]) -> tuple[str, str]:
    """Words for ansible-playbook: a second inventory that sets these variables of these hosts."""
    file = tmp_path / "more.yml"
    file.write_text(json.dumps({"all": {"hosts": variables}}))
    return "-i", str(file)


def down(tmp_path: Path, name: str) -> tuple[str, str]:
    """Words for ansible-playbook: the host is at an address that refuses every connection."""
    address = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
    return settings(tmp_path, **{name: address})


def digests() -> dict[str, str]:
    return {name: hashlib.sha256((PATHS.local / name / CONFIGS[name]).read_bytes()).hexdigest() for name in NAMES}


def running() -> dict[str, Any]:
    """Of each host the process, and the reservations and sessions that it has."""
    hosts = fab("status", "--json", "--inventory", "inventory/local").document["hosts"]
    found = {}
    for name, host in hosts.items():
        held = [each["peer_id"] for each in host["status"].get("reservations", [])]
        held += [each["session"] for each in host["status"].get("sessions", [])]
        found[name] = [host["status"]["pid"], *sorted(held)]
    assert {name: len(entry) for name, entry in found.items()} == {"relay": 3, "server": 2, "client": 2}
    return found


def fleet() -> tuple[dict[str, str], dict[str, Any]]:
    return digests(), running()


def line(played: Played) -> str:
    """The first line about a host that was left out, at the end of the output."""
    return last_lines(played)[0]


def last_lines(played: Played) -> list[str]:
    """What follows Ansible's recap and the time that the run took."""
    return played.output.partition("\nPLAY RECAP ")[2].partition("\nTook ")[2].splitlines()[1:]


def test_peers_of_a_first_deploy_do_not_wait_for_a_relay_that_is_down(first: Played, tmp_path: Path) -> None:
    assert first.exit_code == 2, first.output[-4000:]
    assert last_lines(first) == [
        f"left out: relay: {REFUSED}; nothing is known of it yet, so the others are set up without it; "
        "run deploy.yml again when it is back",
        "left out: server, client: installed, but not started, because nothing is known of relay yet; "
        "the others keep it on their lists; run deploy.yml again when relay can take part",
        f"To find out why: fab doctor -i inventory/local -i {tmp_path.parent}/first0/more.yml",
    ]
    assert "is not reserved after" not in first.output


@pytest.mark.parametrize("limit", ["client", "!client"])
def test_a_limited_deploy_changes_nothing_on_any_host(limit: str) -> None:
    before = fleet()
    # As a task of fab runs it: that task holds the lock of the server, and of no other host.
    lock = PATHS.local / "server.lock"
    lock.write_text(json.dumps({"id": "fab:1:1", "who": "ann@laptop", "what": "fab rotate-key", "since": "now"}))
    played = play("deploy.yml", "local", "--limit", limit, "-e", '{"kaspa_fleet_lock_run": "fab:1:1"}')
    well(played)
    assert list(PATHS.local.glob("*.lock")) == [lock]
    lock.unlink()
    assert set(played.changed.values()) == {0}
    assert fleet() == before
    others = [name for name in NAMES if name not in played.recap]
    assert f"Not touched, because of --limit: {', '.join(others)}" in played.output


def test_a_limited_deploy_that_finds_out_something_names_the_deploy_that_is_next() -> None:
    before, known = fleet(), STATE.read_text()
    state = json.loads(known)
    state["hosts"]["client"]["peer_id"] = state["hosts"]["server"]["peer_id"]
    STATE.write_text(json.dumps(state))
    played = play("deploy.yml", "local", "--limit", "client")
    well(played)
    assert "deploy.yml, without --limit: relay, server can't know yet what has changed" in played.output
    assert (STATE.read_text(), fleet()) == (known, before)


def test_a_relay_that_is_down_is_left_out_and_stays_on_every_list(tmp_path: Path) -> None:
    before = fleet()
    played = play("deploy.yml", "local", *down(tmp_path, "relay"))
    assert played.exit_code == 2, played.output[-4000:]
    assert f"left out: relay: {REFUSED}; it keeps what it has, and the others keep it on their lists; " in line(played)
    assert line(played).endswith("run deploy.yml again when it is back")
    assert last_lines(played)[1:] == [f"To find out why: fab doctor -i inventory/local -i {tmp_path}/more.yml"]
    assert fleet() == before


def test_a_host_that_fails_does_not_keep_the_others_from_a_change(tmp_path: Path) -> None:
    before = digests()
    words = settings(tmp_path, server={"kaspa_peer_announce": ["nonsense"]}, client={"kaspa_peer_ping_interval": 121})
    played = play("deploy.yml", "local", *words)
    assert played.exit_code == 2, played.output[-4000:]
    assert "left out: server: " in line(played)
    assert "ping_interval = 121" in (PATHS.local / "client" / "peer.toml").read_text()
    assert digests()["relay"] == before["relay"]
    well(play("deploy.yml", "local"))
    assert digests() == before


def test_verify_without_a_host_of_the_pair_has_no_verdict_and_fails() -> None:
    played = play("verify.yml", "local", "--limit", "client,server")
    assert played.exit_code == 2
    assert "no verdict: relay of the pair client and server" in played.output


def test_without_the_state_file_a_run_on_some_hosts_stops_before_it_changes_anything() -> None:
    before, known = fleet(), STATE.read_text()
    STATE.unlink()
    played = play("deploy.yml", "local", "--limit", "relay")
    STATE.write_text(known)
    assert played.exit_code == 2, played.output[-4000:]
    assert "server, client: this run can't ask for the peer id, and the controller does not know it" in played.output
    assert fleet() == before


@pytest.fixture
def other_run() -> Iterator[subprocess.Popen[bytes]]:
    """A run of another operator on this controller, which holds the lock of the server."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        holder = {
            "id": kaspa_holder.run_id(process.pid),
            "who": "ann@laptop",
            "what": "deploy.yml",
            "since": "2026-11-30T23:12:05+00:00",
        }
        (PATHS.local / "server.lock").write_text(json.dumps(holder))
        yield process
        process.communicate()


def test_a_second_operator_is_told_who_is_first_and_changes_nothing(other_run: subprocess.Popen[bytes]) -> None:
    before = fleet()
    played = play("deploy.yml", "local", "-e", "kaspa_node_log_level=debug")
    assert played.exit_code == 2, played.output[-4000:]
    assert "server: locked by ann@laptop, deploy.yml, since 2026-11-30 23:12:05 UTC (" in played.output
    for words in (("restart",), ("rotate-key", "client")):
        task = fab(*words, "--inventory", "inventory/local")
        (problem,) = task.complaints
        assert problem.startswith("server: locked by ann@laptop, deploy.yml, since 2026-11-30 23:12:05 UTC (")
        assert (task.code, task.out) == (2, "")
    assert fleet() == before
    assert {path.name for path in PATHS.local.glob("*.lock")} == {"server.lock"}
    broken = play("deploy.yml", "local", "--limit", "server", "-e", "kaspa_fleet_lock_break=true")
    well(broken)
    assert "server: the lock of ann@laptop, deploy.yml, since 2026-11-30 23:12:05 UTC (" in broken.output
    assert list(PATHS.local.glob("*.lock")) == []


def test_the_lock_of_a_dead_run_is_taken_over(other_run: subprocess.Popen[bytes]) -> None:
    other_run.communicate()
    after = play("deploy.yml", "local", "--limit", "server")
    well(after)
    assert "server: the lock of ann@laptop, deploy.yml, since 2026-11-30 23:12:05 UTC (" in after.output
    assert "is taken over, because that run is dead" in after.output
    assert list(PATHS.local.glob("*.lock")) == []


def test_an_uninstalled_host_is_forgotten_and_the_others_run_on(tmp_path: Path) -> None:
    before = digests()
    played = play("playbooks/uninstall.yml", "local", *down(tmp_path, "client"), "--limit", "client,server")
    assert played.exit_code == 2, played.output[-4000:]
    assert f"left out: client: {REFUSED}; nothing was removed there; " in line(played)
    assert set(json.loads(STATE.read_text())["hosts"]) == {"relay", "client"}
    assert hashlib.sha256((PATHS.local / "relay" / "relay.toml").read_bytes()).hexdigest() == before["relay"]
    again = play("deploy.yml", "local")
    well(again)
    assert "server: new, role peer, peer id " in again.output


def test_the_checkout_has_no_state_of_the_lab() -> None:
    assert not (ROOT / "inventory" / "local" / ".kaspa").exists()
