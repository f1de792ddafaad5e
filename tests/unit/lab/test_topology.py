"""Names and addresses hang together, here and in the inventories."""

from __future__ import annotations

import re
import shutil
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

from lab import topology
from lab.namespaces import NamedNamespaces
from lab.paths import CHECKOUT
from lab.topology import HOSTS, NETWORKS, PORTS, ROUTERS, SPARE, host, public_port, router

SSH_IN_LAB = CHECKOUT / "lab/bin/ssh-in-lab"
TCP_IN_LAB = CHECKOUT / "lab/bin/tcp-in-lab"
NETWORKS_SH = CHECKOUT / "lab/bin/networks.sh"


def test_every_address_lies_in_a_network_of_the_lab() -> None:
    addresses = [each.address for each in HOSTS] + [each.public for each in ROUTERS] + [each.lan for each in ROUTERS]
    for address in addresses:
        assert any(ip_address(address) in ip_network(network) for network in NETWORKS)


def test_a_private_host_is_behind_the_router_it_is_reached_from() -> None:
    for each in ROUTERS:
        assert host(each.host).vantage == each.name
        assert host(each.host).gateway == each.lan


def test_the_segment_has_a_port_for_each_public_address() -> None:
    public = {address for port in PORTS if port.delayed for address in port.addresses}
    assert public == {host("relay").address} | {each.public for each in ROUTERS}


def test_interface_names_fit_the_kernels_limit() -> None:
    assert all(len(port.port) < 16 for port in (*PORTS, public_port(SPARE)))


def test_a_router_answers_to_its_hosts_name_too() -> None:
    assert router("client") is router("nat-client")


@pytest.mark.parametrize("find", [host, router])
def test_an_unknown_name_is_answered_with_the_known_ones(find: object) -> None:
    assert callable(find)
    with pytest.raises(ValueError, match=r"no .* 'moon' in the lab; there are .*"):
        find("moon")


def inventory(name: str) -> dict[str, dict[str, object]]:
    """Host name → its variables, of one of our inventories."""
    groups = yaml.safe_load((CHECKOUT / f"inventory/{name}/hosts.yml").read_text())["all"]["children"]
    return {name: values or {} for group in groups.values() for name, values in group["hosts"].items()}


def test_the_inventories_name_the_labs_hosts() -> None:
    for name in ("lab", "local"):
        assert set(inventory(name)) == {each.name for each in HOSTS}
    assert {name: values["ansible_host"] for name, values in inventory("lab").items()} == {
        each.name: each.address for each in HOSTS
    }


def test_each_network_is_entered_where_it_is_reached_from() -> None:
    found = dict(re.findall(r"^\s+([0-9.]+)\*\) echo (\S+) ;;", NETWORKS_SH.read_text(), re.MULTILINE))
    vantages = {each.address.rpartition(".")[0] + ".": each.vantage for each in (*HOSTS, SPARE)}
    assert found == {network: Path(NamedNamespaces().path(vantage)).name for network, vantage in vantages.items()}
    assert set(found) == {network.removesuffix("0/24") for network in NETWORKS}


@pytest.mark.parametrize(
    ("program", "words"),
    [(SSH_IN_LAB, ["-o", "User=root", "10.1.0.2", "true 10.2.0.2"]), (TCP_IN_LAB, ["10.1.0.2", "22"])],
)
def test_programs_that_go_in_say_that_the_lab_is_not_up(tmp_path: Path, program: Path, words: list[str]) -> None:
    for file in (program, NETWORKS_SH):
        (tmp_path / file.name).write_text(file.read_text().replace("/run/netns", str(tmp_path)))
    argv = ["sh", str(tmp_path / program.name), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 255  # what ssh says of a host that it can't reach
    assert done.stderr == "the lab is not up; bring it up with: make lab-up\n"


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here")
def test_ssh_in_lab_passes_on_what_names_no_host() -> None:
    done = subprocess.run([SSH_IN_LAB, "-V"], capture_output=True, text=True, check=False)
    assert "OpenSSH" in done.stderr


def test_names_carry_the_labs_prefix() -> None:
    assert NamedNamespaces().path("relay") == f"/run/netns/{topology.PREFIX}relay"
    assert NamedNamespaces().enter("relay")[0] == "nsenter"
