"""Ansible's inventories as the tasks see them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.inventory import CHECKOUT, Inventory
from operations.inventory_loader import load
from operations.problems import UsageProblem
from tests.unit.operations.hosts import inventory, node

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text as an inventory; returns its path."""

    def write(text: str) -> str:
        path = tmp_path / "hosts.yml"
        path.write_text(text)
        return str(path)

    return write


def one(write: Write, variables: str) -> Inventory:
    """An inventory with one peer that has these variables."""
    return load(write(f"all: {{children: {{peers: {{hosts: {{a: {{{variables}}}}}}}}}}}"))


@pytest.fixture
def three() -> Inventory:
    return inventory(node("relay", "relay"), node("server"), node("client", kaspa_peer_dials=["server"]))


def test_the_labs_inventory() -> None:
    found = load("inventory/lab")
    assert list(found.nodes) == ["relay", "server", "client"]
    assert [each.name for each in found.relays] == ["relay"]
    client = found.node("client")
    assert (client.role, client.manager, client.service, client.dials) == ("peer", "systemd", "kaspa-peer", ("server",))
    assert client.paths.key == "/var/lib/kaspa-node/identity.key"
    assert client.paths.command == ("/opt/kaspa-node/bin/python", "-m", "kaspa_node")
    assert (client.paths.directory, client.paths.log, client.paths.user) == (None, None, "kaspa")
    settings = client.settings
    assert (settings.address, settings.password, settings.become) == ("10.1.0.2", None, None)
    assert settings.ssh[0] == f"{CHECKOUT}/lab/bin/ssh-in-lab"
    assert {'User="root"', "IdentitiesOnly=yes", f'IdentityFile="{CHECKOUT}/.lab/ssh/id_ed25519"'} <= {*settings.ssh}
    assert f"ProxyCommand={CHECKOUT}/lab/bin/tcp-in-lab %h %p" in settings.ssh


@pytest.mark.parametrize("named", [None, "another.cfg"])
def test_the_environment_is_as_it_was(monkeypatch: pytest.MonkeyPatch, named: str | None) -> None:
    monkeypatch.delenv("ANSIBLE_CONFIG", raising=False)
    if named:
        monkeypatch.setenv("ANSIBLE_CONFIG", named)
    load("inventory/lab")
    assert os.environ.get("ANSIBLE_CONFIG") == named


def test_the_example_for_real_hosts() -> None:
    found = load("inventory/example")
    server, workstation = found.node("server"), found.node("workstation")
    assert (server.settings.address, server.settings.ssh[0]) == ("198.51.100.20", "ssh")
    assert 'User="admin"' in server.settings.ssh
    assert server.settings.become is not None
    assert workstation.settings.address is None
    assert found.pair() == (workstation, server)


def test_plain_processes() -> None:
    client = load("inventory/local").node("client")
    assert (client.manager, client.settings.address) == ("process", None)
    assert client.paths.directory == f"{CHECKOUT}/.lab/local/client"
    assert client.paths.log == f"{CHECKOUT}/.lab/local/client/kaspa-peer.log"
    assert client.paths.environment == {"PYTHONPATH": str(CHECKOUT)}
    assert client.settings.interpreter == f"{CHECKOUT}/.lab/local/bin/python-client"


def test_variables_are_templated_and_the_roles_defaults_count(write: Write) -> None:
    a = one(write, "mine: '{{ inventory_hostname }}!'").node("a")
    assert (a.variable("mine"), a.variable("kaspa_peer_port"), a.variable("nobody", 7)) == ("a!", 4012, 7)
    assert type(a.variable("mine")) is str
    assert a.native == ()


def test_native_programs_are_units(write: Write) -> None:
    assert one(write, "kaspa_native_programs: [server]").node("a").native == ("kaspa-native-server",)


def test_a_jump_host_a_key_and_a_port(write: Write) -> None:
    words = "ansible_ssh_common_args: '-J admin@jump:2200,inner', ansible_port: '{{ 2000 + 222 }}', "
    ssh = one(write, words + "ansible_ssh_private_key_file: k").node("a").settings.ssh
    assert {"-J", "admin@jump:2200,inner", "Port=2222", 'IdentityFile="k"'} <= {*ssh}


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ("ansible_become: true, ansible_user: admin", "sudo -H -S -n  -u root /bin/sh -c "),
        ("ansible_become: 'yes', ansible_become_user: kaspa", "sudo -H -S -n  -u kaspa /bin/sh -c "),
        ("ansible_become: true, ansible_become_exe: /opt/sudo, ansible_become_flags: -E", "/opt/sudo -E  -u root "),
        ("ansible_become: true, ansible_user: root", None),
        ("ansible_become: 'false', ansible_user: admin", None),
        ("ansible_user: admin", None),
    ],
)
def test_root_needs_no_sudo(write: Write, variables: str, line: str | None) -> None:
    become = one(write, variables).node("a").settings.become
    if line is None:
        assert become is None
    else:
        assert become is not None
        assert become.password is None
        assert become.wrap("id -u")[0].startswith(line)


def test_booleans_of_ini_files(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[peers]\na ansible_become=false\nb ansible_become=true\n")
    nodes = load(str(tmp_path / "hosts")).nodes
    assert (nodes["a"].settings.become, nodes["b"].settings.become is None) == (None, False)


@pytest.mark.parametrize("name", ["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"])
def test_a_password_for_sudo(write: Write, name: str) -> None:
    become = one(write, f"ansible_become: true, {name}: it's").node("a").settings.become
    assert become is not None
    line, prompt = become.wrap("id -u")
    assert (become.password, prompt in line, " -n " in line) == ("it's", True, False)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ("ansible_connection: winrm", "a: ansible_connection is winrm; tasks know ssh and local"),
        ('ansible_ssh_args: "-o \'Port=1"', "a: the inventory's ssh arguments can't be read: No closing quotation"),
        ("ansible_become: true, ansible_become_method: su", "a: ansible_become_method is su; tasks know sudo"),
    ],
)
def test_ways_that_tasks_do_not_know(write: Write, variables: str, said: str) -> None:
    with pytest.raises(UsageProblem, match=f"^{said}$"):
        one(write, variables)


def test_a_variable_that_can_not_be_templated_is_named(write: Write) -> None:
    a = one(write, "mine: '{{ nobody_knows }}'").node("a")
    with pytest.raises(UsageProblem, match="^a: mine can't be read from .*'nobody_knows' is undefined"):
        a.variable("mine")


def test_no_inventory() -> None:
    with pytest.raises(UsageProblem, match="^no inventory inventory/nix; name one with --inventory"):
        load("inventory/nix")


def test_an_inventory_without_hosts_for_us(write: Write) -> None:
    with pytest.raises(UsageProblem, match=r"has no hosts in its groups relays and peers$"):
        load(write("all: {hosts: {a: {}}}"))


def test_an_inventory_that_is_none(write: Write) -> None:
    with pytest.raises(UsageProblem, match="^the inventory .* can't be read: While parsing a flow node did not find"):
        load(write("peers: [\n"))


def test_an_unknown_host(three: Inventory) -> None:
    with pytest.raises(UsageProblem, match="^no host 'nix' in inventory/test; it has relay, server, client$"):
        three.node("nix")


def test_some_hosts(three: Inventory) -> None:
    assert [each.name for each in three.some(None)] == ["relay", "server", "client"]
    assert [each.name for each in three.some("client, relay,client")] == ["client", "relay"]
    with pytest.raises(UsageProblem, match="^no host is named"):
        three.some(" , ")


@pytest.mark.parametrize("words", [(), ("client",), ("server",), ("client", "server"), (None, "server")])
def test_the_pair(three: Inventory, words: tuple[str | None, ...]) -> None:
    assert [each.name for each in three.pair(*words)] == ["client", "server"]


def test_two_names_are_taken_in_their_order(three: Inventory) -> None:
    assert [each.name for each in three.pair("server", "client")] == ["server", "client"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("client", "client"), "client can't be both ends"),
        (("relay", "client"), "relay is a relay, not a peer; peers are server, client"),
        (("client", "nix"), "no host 'nix'"),
    ],
)
def test_pairs_that_are_none(three: Inventory, words: tuple[str, str], said: str) -> None:
    with pytest.raises(UsageProblem, match=f"^{said}"):
        three.pair(*words)


def test_peers_that_nobody_dials() -> None:
    alone = inventory(node("a"), node("b"))
    with pytest.raises(UsageProblem, match="^no peer of inventory/test dials another"):
        alone.pair()
    with pytest.raises(UsageProblem, match="^a dials no peer and no peer dials it"):
        alone.pair("a")
