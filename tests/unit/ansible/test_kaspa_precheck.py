from __future__ import annotations

from pathlib import Path
from typing import Any

import kaspa_precheck
import pytest

WELL: dict[str, Any] = {
    "time": 1000.0,
    "asked": 999.0,
    "root": True,
    "os": "Debian GNU/Linux 12 (bookworm)",
    "debian": True,
    "arch": "x86_64",
    "python": "3.11.2",
    "interpreter": "/usr/bin/python3.11",
    "systemd": True,
    "init": "systemd",
    "user_namespaces": 1000,
    "missing": ["ufw"],
    "venv": "",
    "recorded": {},
    "groups": ["kaspad", "root"],
    "listening": {"22": "ssh.service"},
    "user_home": "",
    "login_home": "/home/admin",
    "login_free": 5_000,
    "free": 10_000,
    "memory": 1000,
    "resolver": True,
}
WANTED = {
    "manager": "systemd",
    "connection": "ssh",
    "unit_settings": {},
    "user": "kaspa",
    "state_dir": "/var/lib/kaspa-node",
    "role": "peer",
    "service": "kaspa-peer",
    "port": 4012,
    "local_ports": [{"port": 50051, "unit": "kaspa-native-server.service", "remedy": "keep off"}],
    "group": "kaspad",
    "control": "/run/kaspa-node/control.sock",
    "now": 1001.0,
}


def problems(found: dict[str, Any], **wanted: Any) -> list[str]:
    return kaspa_precheck.kaspa_host_problems({**WELL, **found}, {**WANTED, **wanted})


def test_a_host_that_is_well() -> None:
    assert problems({}) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"python": "3.9.2"}, "/usr/bin/python3.11 is Python 3.9.2, and 3.11 is needed; use"),
        ({"arch": "armv7l"}, "the machine is armv7l"),
        (
            {"systemd": False, "init": "runit"},
            "systemd is not running (process 1 is runit); a node runs on hosts with systemd only",
        ),
        ({"user_namespaces": 0}, 'kaspa_node_unit_settings: {PrivateUsers: "no"}'),
        ({"root": False}, "ansible_become: true"),
        ({"debian": False, "os": "Fedora 41"}, "Fedora 41 has no apt to install ufw with"),
        (
            {"recorded": {"kaspa_node": {"service": "kaspa-relay"}}},
            "it runs kaspa-relay, and this inventory makes it a peer; run playbooks/uninstall.yml for it first",
        ),
        ({"resolver": False}, "/etc/resolv.conf names no server"),
        ({"venv": "not a link"}, "/opt/kaspa-node is there and was not made by deploy"),
        ({"free": 100}, "100 MiB of disk are free"),
        ({"login_free": 30}, "30 MiB of disk are free at /home/admin, where Ansible puts files, and 60 are needed"),
        (
            {"user_home": "/home/kaspa"},
            "the user kaspa exists and was not made by deploy (its home is /home/kaspa); set",
        ),
        ({"memory": 64}, "64 MiB of memory are available"),
        ({"listening": {"4012": "nginx.service"}}, "port 4012/tcp is taken by nginx.service; stop that"),
        ({"listening": {"50051": "nc (pid 7)"}}, "port 50051/tcp is taken by nc (pid 7); stop that, or keep off"),
        ({"groups": ["root"]}, "the group kaspad does not exist; install the program first"),
        ({"time": 900.0}, "its clock is 99 s behind the controller's"),
        ({"time": 1100.0}, "its clock is 99 s ahead of the controller's"),
    ],
)
def test_a_problem_is_named_with_its_remedy(found: dict[str, Any], said: str) -> None:
    (problem,) = problems(found)
    assert said in problem
    assert ";" in problem


def test_every_problem_is_named_at_once() -> None:
    assert len(problems({"python": "3.9.2", "root": False, "free": 1})) == 3


def test_our_own_service_may_have_the_port() -> None:
    assert problems({"listening": {"4012": "kaspa-peer.service", "50051": "kaspa-native-server.service"}}) == []


def test_a_plain_process_needs_no_root_and_no_systemd() -> None:
    found = {"root": False, "systemd": False, "resolver": False, "debian": False, "groups": []}
    assert problems(found, manager="process", connection="local") == []


def test_a_socket_in_too_deep_a_directory() -> None:
    (problem,) = problems({}, control="/" + "x" * 103)
    assert "too long for a socket's path" in problem


def inventory(groups: dict[str, Any], **dials: Any) -> list[str]:
    names = {name for members in groups.values() for name in members}
    hostvars = {name: {"kaspa_peer_dials": dials.get(name)} for name in names}
    return kaspa_precheck.kaspa_inventory_problems(groups, hostvars)


def test_an_inventory_that_is_well() -> None:
    assert inventory({"relays": ["r"], "peers": ["a", "b"]}, a=["b"]) == []


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [
        ({"ansible_host": "192.0.2.1"}, {"ansible_host": "192.0.2.1", "ansible_port": 22}, "192.0.2.1:22"),
        ({"ansible_host": "192.0.2.1"}, {"ansible_host": "192.0.2.1", "ansible_port": 2222}, ""),
        ({"ansible_host": "192.0.2.1"}, {"ansible_host": "192.0.2.1", "ansible_ssh_common_args": "-J b"}, ""),
        ({"ansible_connection": "local"}, {"ansible_connection": "local", "ansible_host": "192.0.2.1"}, "this one"),
        (
            {"ansible_connection": "local", "kaspa_node_manager": "process"},
            {"ansible_connection": "local", "kaspa_node_manager": "process"},
            "",
        ),
    ],
)
def test_two_names_of_one_machine(one: dict[str, Any], other: dict[str, Any], place: str) -> None:
    hostvars = {"r": one, "a": other, "b": {}}
    said = kaspa_precheck.kaspa_inventory_problems({"relays": ["r"], "peers": ["a", "b"]}, hostvars)
    expected = [f"r and a are the same machine, {place}; a machine runs one node: leave one of them"]
    assert said == (expected if place else [])


def test_empty_groups() -> None:
    relays, peers = inventory({})
    assert "group relays is empty" in relays
    assert "group peers is empty" in peers


@pytest.mark.parametrize(
    ("groups", "dials", "said"),
    [
        ({"relays": ["r", "a"], "peers": ["a"]}, {}, "a is in relays and in peers"),
        ({"relays": ["r"], "peers": ["a"]}, {"a": ["a"]}, "a dials itself"),
        ({"relays": ["r"], "peers": ["a"]}, {"a": ["nobody"]}, "a dials nobody, which is not in the group peers"),
    ],
)
def test_an_inventory_that_can_not_work(groups: dict[str, Any], dials: dict[str, Any], said: str) -> None:
    (problem,) = inventory(groups, **dials)
    assert said in problem


def test_a_relay_that_is_none() -> None:
    hostvars: dict[str, dict[str, Any]] = {"r": {}, "a": {"kaspa_peer_relays": ["x"]}}
    (problem,) = kaspa_precheck.kaspa_inventory_problems({"relays": ["r"], "peers": ["a"]}, hostvars)
    assert "a uses x, which is not in the group relays" in problem


@pytest.mark.parametrize(
    ("client", "server", "differ"),
    [
        ({"kaspa_peer_network": "testnet-10"}, {}, True),
        ({"kaspa_peer_network": "testnet-10"}, {"kaspa_peer_network": "testnet-10"}, False),
        ({"kaspa_peer_network": "mainnet"}, {}, False),
        ({"kaspa_peer_network": "testnet-10"}, {"kaspa_peer_backend": "external"}, False),
    ],
    ids=["differ", "the same", "the default", "an external backend has its own"],
)
def test_peers_on_different_networks(client: dict[str, Any], server: dict[str, Any], differ: bool) -> None:
    hostvars = {"r": {}, "a": {"kaspa_peer_dials": ["b"], **client}, "b": server}
    problems = kaspa_precheck.kaspa_inventory_problems({"relays": ["r"], "peers": ["a", "b"]}, hostvars)
    said = "a dials b, but their kaspa_peer_network is testnet-10 and mainnet; set one value for both"
    assert problems == [said] * differ


def test_plain_processes_are_for_this_machine() -> None:
    (said,) = problems({"systemd": False}, manager="process")
    assert said.startswith(
        "kaspa_node_manager is process, and the connection is ssh; it runs nodes on this machine only"
    )
    assert problems({"systemd": False}, manager="process", connection="local") == []
    (said,) = problems({"systemd": False}, connection="local")
    assert said.endswith("or as a plain process on this machine, as in inventory/local")


def test_a_unit_without_user_namespaces() -> None:
    assert problems({"user_namespaces": 0}, unit_settings={"PrivateUsers": "no"}) == []


@pytest.mark.parametrize(
    "said",
    ["sudo: sorry, you must have a tty to run sudo\n", "sudo: Entschuldigung, Sie müssen ein TTY haben, um sudo\n"],
)
def test_sudo_that_wants_a_terminal(said: str) -> None:
    result = {"failed": True, "msg": "No start of json char found", "module_stderr": said, "rc": 1}
    assert "set ansible_pipelining: false for this host" in kaspa_precheck.kaspa_module_problem(result)


def test_another_failure_of_a_module_is_told_as_it_is() -> None:
    result = {"msg": "MODULE FAILURE", "module_stderr": "first\n/bin/sh: 1: cannot create: No space left on device\n"}
    assert kaspa_precheck.kaspa_module_problem(result).endswith("cannot create: No space left on device")
    assert kaspa_precheck.kaspa_module_problem({"msg": "no interpreter"}) == "no interpreter"


def test_the_user_of_an_earlier_deploy() -> None:
    assert problems({"user_home": "/var/lib/kaspa-node"}) == []
    assert problems({"user_home": "/home/kaspa"}, manager="process", connection="local") == []


@pytest.mark.parametrize(
    "found",
    [
        {"interpreter": "/usr/bin/python3.9", "python": "3.9.2"},
        {"systemd": False, "init": "runit"},
        {"user_namespaces": 0},
        {"user_home": "/home/kaspa"},
        {"login_free": 30},
    ],
)
def test_the_documentation_has_the_lines_of_unusual_hosts(found: dict[str, Any]) -> None:
    (said,) = problems(found)
    assert f"\n{said}\n" in (Path(__file__).resolve().parents[3] / "docs" / "troubleshooting.md").read_text("utf-8")


def test_a_slow_host_is_not_one_with_a_wrong_clock() -> None:
    assert problems({"asked": 900.0, "time": 950.0}, now=1000.0) == []


def test_the_time_may_be_text_as_before_ansible_core_2_19() -> None:
    assert problems({"asked": 1000.0, "time": 1000.0}, now="1001.0") == []
