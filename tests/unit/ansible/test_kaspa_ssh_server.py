"""Where an SSH server listens, from what the programs of a host print."""

from __future__ import annotations

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_ssh_server
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_ssh_server import Came

SERVICE = "cgroup:/system.slice/ssh.service <->"
SOCKETS = f"""\
LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("sshd",pid=61,fd=3)) ino:1 sk:1 {SERVICE}
LISTEN 0 128 [::]:2222 [::]:* users:(("sshd",pid=61,fd=4)) ino:2 sk:2 {SERVICE} v6only:1
LISTEN 0 4096 *:2022 *:* users:(("systemd",pid=1,fd=80)) ino:3 sk:3 cgroup:/system.slice/ssh.socket <->
LISTEN 0 128 127.0.0.1:6010 0.0.0.0:* users:(("sshd",pid=99,fd=9)) ino:4 sk:4 cgroup:/user.slice <->
LISTEN 0 128 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=9,fd=9)) ino:5 sk:5 cgroup:/system.slice/nginx.service <->
"""
SHOWN = """\
Listen=0.0.0.0:2022 (Stream)
Listen=[::]:2022 (Stream)
ActiveState=active

Listen=[::]:22 (Stream)
ActiveState=inactive
"""


def processes(**environments: str) -> dict[str, bytes]:
    """/proc of processes that are each the child of the next."""
    pids = [int(name.removeprefix("p")) for name in environments]
    files: dict[str, bytes] = {}
    for place, (pid, variables) in enumerate(zip(pids, environments.values(), strict=True)):
        parent = pids[place + 1] if place + 1 < len(pids) else 1
        files[f"/proc/{pid}/environ"] = variables.replace(" | ", "\0").encode()
        files[f"/proc/{pid}/stat"] = f"{pid} (a (b) c) S {parent} 1 1".encode()
    return files


def came_by(files: dict[str, bytes], pid: int) -> Came | None:
    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    return kaspa_ssh_server.came_by(pid, read)


def test_the_port_of_a_connection_that_sudo_hides() -> None:
    files = processes(
        p40="PATH=/bin | HOME=/root",
        p30="LANG=de_DE.UTF-8 | SSH_CONNECTION=192.0.2.1 5000 192.0.2.2 2222",
        p20="SSH_CONNECTION=198.51.100.1 1 198.51.100.2 22",
    )
    assert came_by(files, 40) == Came("192.0.2.1", 2222, "192.0.2.2")


@pytest.mark.parametrize("variables", ["", "SSH_CONNECTION=nonsense", "MY_SSH_CONNECTION=1 2 3 4"])
def test_no_connection_of_ssh(variables: str) -> None:
    assert came_by(processes(p40=variables, p30=""), 40) is None


def test_a_mapped_address_is_one_of_ipv4() -> None:
    assert came_by(processes(p9="SSH_CONNECTION=::ffff:192.0.2.1 5 ::ffff:192.0.2.2 22"), 9) == Came(
        "192.0.2.1", 22, "192.0.2.2"
    )


def test_the_sockets_of_a_server_that_others_can_reach() -> None:
    assert kaspa_ssh_server.listening(SOCKETS) == {2222, 2022}


def test_the_sockets_that_systemd_listens_on() -> None:
    assert kaspa_ssh_server.of_sockets(SHOWN) == {2022}


def test_the_configuration_counts_only_if_systemd_has_no_socket() -> None:
    configured = kaspa_ssh_server.configured("port 22\nport 2200\nlistenaddress 0.0.0.0:22\nloglevel INFO\n")
    assert configured == {22, 2200}
    assert kaspa_ssh_server.ports([], [2222], configured, None) == {22, 2200, 2222}
    assert kaspa_ssh_server.ports([2022], [], configured, Came("192.0.2.1", 2222)) == {2022, 2222}
