"""A backend behind hardened units, by unix sockets that a group shares. Each test goes on where the last one ended."""

from __future__ import annotations

import shlex

import pytest

from lab import booted
from lab.errors import LabError
from lab.lock import exclusive
from tests.lab.footprint import PATHS, on
from tests.playbooks import play, well

INVENTORIES = ("-i", "tests/lab/external.yml")
NOTHING = dict.fromkeys(("relay", "server", "client"), 0)
ECHO = """
import socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("/run/kaspa-peer/echo.sock")
listener.listen()
while True:
    caller, _ = listener.accept()
    while data := caller.recv(65536):
        caller.sendall(data)
    caller.close()
"""
CALL = """
import socket
server = socket.socket(socket.AF_UNIX)
server.settimeout(30)
server.connect("/run/kaspa-peer/server.sock")
server.sendall(b"hello")
print(server.recv(5).decode())
"""


def as_member(*group: str) -> str:
    """What a call to the server says, of a user of the client's that is in that group, or in its own only."""
    return on("client", "runuser", "-u", "games", *group, "--", "python3", "-c", shlex.quote(CALL))


@pytest.fixture(scope="module", autouse=True)
def deployed() -> None:
    with exclusive():
        booted.up(PATHS, fresh=True)
    played = well(play("deploy.yml", "lab", *INVENTORIES))
    assert "path to server, direct, for programs at unix:/run/kaspa-peer/server.sock" in played.output


def test_a_second_deploy_changes_nothing() -> None:
    assert well(play("deploy.yml", "lab", *INVENTORIES)).changed == NOTHING


def test_a_backend_that_does_not_run_is_told() -> None:
    assert as_member("-g", "users") == ""
    status = on("server", "/opt/kaspa-node/bin/kaspa-node", "status")
    assert "external backend unix:/run/kaspa-peer/echo.sock refusing" in status
    assert "No such file or directory; the next stream tries again" in status


def test_members_of_the_group_reach_the_remote_and_nobody_else() -> None:
    settings = [word for name in ("User=games", "Group=users", "UMask=0007") for word in ("-p", name)]
    on("server", "systemd-run", "--quiet", "--unit=echo", *settings, "python3", "-c", shlex.quote(ECHO))
    on("server", "sh", "-c", "'until test -S /run/kaspa-peer/echo.sock; do :; done'")
    assert as_member("-g", "users") == "hello"
    with pytest.raises(LabError, match="Permission denied"):
        as_member()
    assert " up (called" in on("server", "/opt/kaspa-node/bin/kaspa-node", "status")


def test_the_directory_is_made_at_every_boot_and_gone_after_uninstall() -> None:
    assert on("client", "stat", "--format=%U:%G:%a", "/run/kaspa-peer") == "kaspa:users:2770"
    on("client", "rm", "-r", "/run/kaspa-peer")
    on("client", "systemd-tmpfiles", "--create")
    assert on("client", "stat", "--format=%U:%G:%a", "/run/kaspa-peer") == "kaspa:users:2770"
    on("server", "systemctl", "stop", "echo")
    well(play("playbooks/uninstall.yml", "lab", *INVENTORIES))
    left = "ls -d /run/kaspa-peer /etc/tmpfiles.d/kaspa-peer.conf 2>/dev/null || true"
    assert {on(name, "sh", "-c", shlex.quote(left)) for name in ("server", "client")} == {""}
