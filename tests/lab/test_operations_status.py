"""fab status, start, stop and restart on the deployed lab: what they show, and what they changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import cgroups
from lab.topology import HOSTS
from lab.waiting import until
from tests.fabric import Fab
from tests.lab.scenes import PATHS, PATIENCE, UNITS, on, restart
from tests.lab.test_operations_bad_input import inventory

pytestmark = pytest.mark.usefixtures("deployed")

NAMES = ["relay", "server", "client"]
OPERATOR = "deployer"


def invocation(name: str) -> str:
    return on(name, f"systemctl show --value -p InvocationID {UNITS[name]}")


def own_status(name: str) -> dict[str, Any]:
    """What the node says of itself, asked without Fabric."""
    found: dict[str, Any] = json.loads(on(name, "/opt/kaspa-node/bin/kaspa-node status --json"))
    return found


def connected() -> bool:
    """Whether client and server have a session that is ready and direct again."""
    sessions = own_status("client")["sessions"]
    return [(each["path"], each["state"]) for each in sessions] == [("direct", "ready")]


@pytest.fixture
def mended() -> Iterator[None]:
    """All nodes run again afterwards, and the session stands."""
    yield
    for name in NAMES:
        on(name, f"systemctl is-active -q {UNITS[name]} || systemctl start {UNITS[name]}")
    assert until(connected, timeout=2 * PATIENCE, pause=0.2)


def test_status_shows_every_host_by_its_name(fab: Fab) -> None:
    done = fab("status")
    assert (done.code, done.complaints) == (0, [])
    rows = [line.split() for line in done.out.splitlines()]
    hosts = {row[0]: row for row in rows[2:5]}
    assert list(hosts) == NAMES
    for name, row in hosts.items():
        own = own_status(name)
        assert row[2:4] == [UNITS[name], "active"]
        assert own["version"] in row
        assert f"{own['peer_id'][:8]}…{own['peer_id'][-8:]}" in row
    assert ["client", "server", "outgoing", "direct", "ready", "203.0.113.30:4012"] in [row[:6] for row in rows]
    assert ["server", "client", "incoming", "direct", "ready", "203.0.113.20:4012"] in [row[:6] for row in rows]
    assert ["client", "relay", "reserved"] in [row[:3] for row in rows]
    assert ["relay", "2", "0"] in [row[:3] for row in rows]


def test_status_as_json_is_what_the_nodes_say(fab: Fab) -> None:
    found = fab("status", "--json").document
    assert (found["ok"], found["problems"], found["changed"]) == (True, [], [])
    for name in NAMES:
        seen, own = found["hosts"][name], own_status(name)
        assert {key: seen["status"][key] for key in ("role", "peer_id", "version", "pid", "since")} == {
            key: own[key] for key in ("role", "peer_id", "version", "pid", "since")
        }
        assert (seen["service"]["pid"], seen["service"]["invocation"]) == (own["pid"], invocation(name))
        assert abs(seen["service"]["since"] - own["since"]) < 60


def test_one_host_of_them(fab: Fab) -> None:
    assert list(fab("status", "--json", "--host", "server").document["hosts"]) == ["server"]


def test_a_host_that_stands_still_does_not_hold_up_the_others(fab: Fab) -> None:
    cgroups.freeze("server", frozen=True)
    try:
        done = fab("status", "--timeout", "5")
    finally:
        cgroups.freeze("server", frozen=False)
    (line,) = done.complaints
    assert done.code == 2
    assert line.startswith("server: ")
    assert "  client  peer   kaspa-peer   active" in done.out


@pytest.mark.usefixtures("mended")
def test_stop_and_start_say_what_they_changed(fab: Fab) -> None:
    before = {name: invocation(name) for name in NAMES}
    dry = fab("stop", "--host", "server", "--dry-run")
    assert (dry.code, dry.out) == (0, "server: dry run, not done: kaspa-peer stopped\n")
    assert {name: invocation(name) for name in NAMES} == before

    stopped = fab("stop", "--host", "server")
    assert (stopped.code, stopped.out) == (0, "server: kaspa-peer stopped\n")
    assert on("server", "systemctl is-active kaspa-peer || true") == "inactive"
    assert fab("stop", "--host", "server").out == "server: kaspa-peer is inactive already, nothing changed\n"

    shown = fab("status")
    assert shown.code == 1
    # The client misses its session too.
    assert "server: kaspa-peer is inactive: fab start --host server" in shown.complaints
    assert "  server  peer   kaspa-peer   inactive" in shown.out

    started = fab("start", "--json").document
    assert started["ok"]
    pid = own_status("server")["pid"]
    assert started["changed"] == [{"host": "server", "change": f"kaspa-peer started (pid {pid})"}]
    assert {name: invocation(name) for name in ("relay", "client")} == {
        name: before[name] for name in ("relay", "client")
    }


@pytest.mark.usefixtures("mended")
def test_restart_waits_until_every_node_answers(fab: Fab) -> None:
    before = {name: invocation(name) for name in NAMES}
    done = fab("restart")
    assert (done.code, done.complaints) == (0, [])
    for name in NAMES:
        assert invocation(name) != before[name]
        assert f"{name}: {UNITS[name]} restarted (pid {own_status(name)['pid']})" in done.out.splitlines()


@pytest.mark.usefixtures("mended")
def test_a_node_that_can_not_start_is_told_with_the_reason(fab: Fab) -> None:
    config = "/etc/kaspa-node/peer.toml"
    on("client", f"cp -a {config} /run/peer.toml; echo 'network = 7' > {config}")
    try:
        done = fab("restart", "--host", "client")
        shown = fab("status", "--host", "client")
    finally:
        on("client", f"cp -a /run/peer.toml {config}; rm /run/peer.toml")
        restart("client")
    assert (done.code, done.out) == (1, "")
    (line,) = done.complaints
    assert line.startswith("client: kaspa-peer does not run: its log ends with: kaspa-node: network: 7 ")
    assert shown.code == 1
    assert shown.complaints == ["client: kaspa-peer has failed (exit-code): fab logs --host client"]


@pytest.fixture
def operator() -> Iterator[str]:
    """A login of the hosts that may become root by sudo, without a password."""
    public = PATHS.key.with_name(PATHS.key.name + ".pub").read_text().strip()
    for each in HOSTS:
        on(each.name, f"useradd --create-home --shell /bin/sh {OPERATOR}; install -d -o {OPERATOR} ~{OPERATOR}/.ssh")
        on(each.name, f"echo '{public}' > ~{OPERATOR}/.ssh/authorized_keys")
        on(each.name, f"echo '{OPERATOR} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{OPERATOR}")
    yield OPERATOR
    for each in HOSTS:
        on(each.name, f"rm /etc/sudoers.d/{OPERATOR}")
        on(each.name, f"until userdel --remove {OPERATOR} 2>/dev/null; do pkill -u {OPERATOR} || true; done")


@pytest.mark.usefixtures("mended")
def test_a_login_with_sudo_can_do_all_of_it(fab: Fab, operator: str, tmp_path: Path) -> None:
    option = inventory(tmp_path, ansible_user=operator, ansible_become=True)
    assert fab("status", *option).code == 0
    assert "client: kaspa-peer restarted" in fab("restart", "--host", "client", *option).out
    assert fab("logs", "-n", "1", *option).code == 0


def test_the_inventory_without_a_lab_that_is_up(fab: Fab, tmp_path: Path) -> None:
    option = inventory(tmp_path, kaspa_operations_proxy="sh -c 'echo the lab is not up >&2; exit 255'")
    done = fab("status", *option)
    assert done.code == 2
    assert sorted(done.complaints) == sorted(
        f"{each.name}: can't reach root@{each.address}:22: the lab is not up" for each in HOSTS
    )
