"""A host that nobody can log into, and a deploy of one host: no running configuration and no session changes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab import ssh
from lab.waiting import until
from tests.lab.scenes import PATIENCE, UNITS, command, normal, on
from tests.playbooks import play, well

NODE = "/opt/kaspa-node/bin/kaspa-node"


@pytest.fixture(autouse=True)
def running(deployed: None) -> None:
    normal()


def fleet() -> dict[str, Any]:
    """Of each host the digest of its configuration, the process, and its reservations and sessions."""
    found = {}
    for name in UNITS:
        status = json.loads(on(name, f"{NODE} status --json"))
        held = [each["peer_id"] for each in status.get("reservations", [])]
        held += [each["session"] for each in status.get("sessions", [])]
        found[name] = (on(name, "sha256sum /etc/kaspa-node/*.toml"), status["pid"], sorted(held))
    assert {name: len(held) for name, (_, _, held) in found.items()} == {"relay": 2, "server": 1, "client": 1}
    return found


@contextmanager
def without_sshd(name: str) -> Iterator[None]:
    """No new login to that host. A session that was there before starts sshd again at the end."""
    script = "systemctl stop ssh; echo off; read -r _ || true; systemctl start ssh"
    with subprocess.Popen(command(name, script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout
        assert keeper.stdout.readline() == "off\n"
        ssh.close_shared()
        try:
            yield
        finally:
            keeper.communicate("\n", timeout=PATIENCE)
    assert until(lambda: subprocess.run(command(name, "true"), check=False).returncode == 0, timeout=PATIENCE)


def test_a_host_without_sshd_is_left_out_and_keeps_its_sessions() -> None:
    before = fleet()
    with without_sshd("server"):
        # With `lab: true` the lab itself would be mended first.
        played = play("deploy.yml", "lab", "-e", '{"lab": false}')
    assert played.exit_code == 2, played.output[-4000:]
    assert (
        "left out: server: connect to host 10.2.0.2 port 22: Connection refused; it keeps what it has" in played.output
    )
    assert played.changed == dict.fromkeys(UNITS, 0)
    assert fleet() == before


def test_a_deploy_of_the_relay_alone_keeps_its_list() -> None:
    before = fleet()
    played = play("deploy.yml", "lab", "--limit", "relay")
    well(played)
    assert played.changed == {"relay": 0}
    assert "Not touched, because of --limit: server, client" in played.output
    assert fleet() == before
    assert on("relay", "ls /run/kaspa-node.lock 2>/dev/null || true") == ""
