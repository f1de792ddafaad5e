"""Deploy, verify and uninstall on three fresh hosts behind two NATs. Each test goes on where the last one ended."""

from __future__ import annotations

import re

import pytest

from lab import booted
from lab.lock import exclusive
from tests.lab.footprint import PATHS, on, states
from tests.playbooks import Played, play, report, well

UNITS = {"relay": "kaspa-relay", "server": "kaspa-peer", "client": "kaspa-peer"}
NOTHING = dict.fromkeys(UNITS, 0)


@pytest.fixture(scope="module")
def before() -> dict[str, set[str]]:
    """The state of each host, freshly booted."""
    with exclusive():
        booted.up(PATHS, fresh=True)
    return states()


def told(played: Played) -> str:
    """What deploy said at its end, and what the two peers wrote meanwhile."""
    said = [line for line in played.output.splitlines() if "session, " in line]
    for name in ("client", "server"):
        journal = on(name, "journalctl", "-o", "cat", "-u", UNITS[name])
        said += [f"{name}: {line}" for line in journal.splitlines()[-40:]]
    return "\n".join(said)


def test_check_mode_on_fresh_hosts_changes_nothing(before: dict[str, set[str]]) -> None:
    well(play("deploy.yml", "lab", "--check"))
    assert states() == before


@pytest.mark.usefixtures("before")
def test_precheck_finds_nothing_and_changes_nothing() -> None:
    played = play("playbooks/precheck.yml", "lab")
    well(played)
    assert played.changed == NOTHING


@pytest.mark.usefixtures("before")
def test_precheck_names_a_port_that_is_taken() -> None:
    on("server", "systemd-run", "--quiet", "--unit=squatter", "python3", "-m", "http.server", "4012")
    on("server", "sh", "-c", "'until ss -Hltn | grep -q :4012; do :; done'")
    played = play("playbooks/precheck.yml", "lab")
    on("server", "systemctl", "stop", "squatter")
    assert played.exit_code != 0
    assert "port 4012/tcp is taken by squatter.service; stop that" in played.output


def test_the_configuration_alone_names_the_missing_release(before: dict[str, set[str]]) -> None:
    played = play("deploy.yml", "lab", "--tags", "kaspa_configure")
    assert (played.exit_code, played.changed) == (2, NOTHING)
    assert "left out: relay, server, client: no release is installed there yet; run deploy.yml" in played.output
    assert states() == before


@pytest.mark.usefixtures("before")
def test_deploy_on_fresh_hosts_without_the_firewall_ends_with_a_session() -> None:
    played = play("deploy.yml", "lab", "--skip-tags", "kaspa_firewall")
    well(played)
    for name in UNITS:
        assert on(name, "ufw", "status") == "Status: inactive"
    assert re.search(r"relay relay +/ip4/203\.0\.113\.10/tcp/4011/p2p/12D3Koo", played.output)
    assert re.search(r"peer +client +12D3Koo\w+ outgoing session, direct, 203\.0\.113\.30:4012", played.output)


@pytest.mark.usefixtures("before")
def test_the_firewall_alone_switches_the_filter_on() -> None:
    played = play("deploy.yml", "lab", "--tags", "kaspa_firewall")
    well(played)
    assert set(played.changed.values()) == {1}
    for name in UNITS:
        assert on(name, "ufw", "status").startswith("Status: active")


@pytest.mark.usefixtures("before")
def test_a_second_deploy_changes_nothing() -> None:
    played = play("deploy.yml", "lab")
    well(played)
    assert played.changed == NOTHING


@pytest.mark.usefixtures("before")
def test_check_mode_on_deployed_hosts_finds_nothing_to_change() -> None:
    played = play("deploy.yml", "lab", "--check")
    well(played)
    assert played.changed == NOTHING


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.usefixtures("before")
def test_the_node_runs_unprivileged_in_a_hardened_unit(name: str) -> None:
    unit = UNITS[name]
    assert on(name, "systemctl", "show", "--value", "--property", "User", unit) == "kaspa"
    assert on(name, "systemctl", "is-enabled", unit) == "enabled"
    exposure = on(name, "systemd-analyze", "security", "--no-pager", f"{unit}.service").splitlines()[-1]
    found = re.search(r"level for \S+: ([0-9.]+)", exposure)
    assert found, exposure
    assert float(found[1]) <= 1.5


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.usefixtures("before")
def test_the_key_is_the_nodes_alone_and_the_peer_id_a_local_fact(name: str) -> None:
    assert on(name, "stat", "--format=%U:%a", "/var/lib/kaspa-node/identity.key") == "kaspa:600"
    assert '"peer_id": "12D3Koo' in on(name, "cat", "/etc/ansible/facts.d/kaspa_node.fact")


@pytest.mark.parametrize(("name", "port"), [("relay", 4011), ("server", 4012), ("client", 4012)])
@pytest.mark.usefixtures("before")
def test_only_ssh_and_the_node_are_let_in(name: str, port: int) -> None:
    status = on(name, "ufw", "status", "verbose")
    assert "Status: active" in status
    assert "Default: deny (incoming)" in status
    assert set(re.findall(r"^(\S+)\s+ALLOW IN", status, re.MULTILINE)) == {"22/tcp", f"{port}/tcp"}


@pytest.mark.usefixtures("before")
def test_verify_proves_the_direct_path() -> None:
    played = play("verify.yml", "lab")
    assert played.exit_code == 0, played.output[-4000:]
    found = report()
    assert (found["verdict"], found["path"], found["punch"]["attempts"]) == ("PASS", "direct", 1)
    assert played.changed["client"] == played.changed["server"] == 0


@pytest.mark.usefixtures("before")
def test_verify_tells_the_relayed_path_from_the_direct_one() -> None:
    played = play("verify.yml", "lab", "-e", "expect_path=relayed")
    assert played.exit_code == 0, played.output[-4000:]
    assert (report()["verdict"], report()["path"]) == ("RELAYED", "relayed")


@pytest.mark.usefixtures("before")
def test_verify_names_the_host_whose_node_does_not_run() -> None:
    on("server", "systemctl", "stop", "kaspa-peer")
    played = play("verify.yml", "lab", "-e", "kaspa_verify_timeout=10")
    on("server", "systemctl", "start", "kaspa-peer")
    assert played.exit_code != 0
    found = report()
    assert found["verdict"] == "FAIL"
    assert "server" in found["reason"] + found["hint"]


def test_uninstall_leaves_nothing(before: dict[str, set[str]]) -> None:
    well(play("playbooks/uninstall.yml", "lab"))
    after = states()
    assert {name: after[name] ^ before[name] for name in before} == dict.fromkeys(before, set())
    for name in UNITS:
        assert on(name, "ufw", "status") == "Status: inactive"


@pytest.mark.usefixtures("before")
def test_a_second_uninstall_changes_nothing() -> None:
    played = play("playbooks/uninstall.yml", "lab")
    well(played)
    assert played.changed == NOTHING


@pytest.mark.usefixtures("before")
def test_a_deploy_after_an_uninstall_is_direct_again() -> None:
    """The kernel of a host must not still hold the connection of the first deploy for established."""
    played = play("deploy.yml", "lab")
    well(played)
    assert "outgoing session, direct" in played.output, told(played)
