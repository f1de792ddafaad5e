"""The steps that connect the namespaces, in an order that can work."""

from __future__ import annotations

import pytest

from lab import network
from lab.network import batches
from lab.topology import HUB, NAMESPACES, SPARE

PATHS = {name: f"/ns/{name}" for name in NAMESPACES}


def test_an_interface_is_made_before_it_is_used() -> None:
    made = set()
    for namespace, lines in batches(PATHS):
        for line in lines:
            words = line.split()
            if words[:2] == ["link", "add"]:
                peer = words[words.index("peer") + 2]
                made |= {(namespace, words[2]), (words[-1].removeprefix("/ns/"), peer)}
            elif words[0] == "address":
                assert (namespace, words[-1]) in made
            elif words[:2] == ["link", "set"]:
                assert (namespace, words[2]) in made


def test_an_address_comes_before_the_route_through_it() -> None:
    seen = set()
    for namespace, lines in batches(PATHS):
        for line in lines:
            if line.startswith("address"):
                seen.add(namespace)
            if line.startswith("route"):
                assert namespace in seen


def test_the_hubs_namespace_has_ports_and_no_address() -> None:
    lines = [line for namespace, lines in batches(PATHS) if namespace == HUB for line in lines]
    assert lines
    assert not any(line.startswith(("address", "route")) for line in lines)


def test_every_namespace_but_the_hubs_has_an_address() -> None:
    addressed = {namespace for namespace, lines in batches(PATHS) for line in lines if line.startswith("address")}
    assert addressed == set(NAMESPACES) - {HUB}


class Anywhere:
    def path(self, name: str) -> str:
        return f"/ns/{name}"

    def enter(self, name: str) -> list[str]:
        return ["in", name]


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Namespace and lines of every batch that runs from now on."""
    batches: list[tuple[str, list[str]]] = []

    def run(argv: list[str], stdin: str = "") -> str:
        if stdin:
            batches.append((argv[1], stdin.splitlines()))
        return ""

    monkeypatch.setattr(network, "run", run)
    return batches


def test_a_spare_host_gets_a_port_of_the_hub_and_a_way_out(fed: list[tuple[str, list[str]]]) -> None:
    network.attach(Anywhere(), SPARE)
    assert fed == [
        (HUB, ["link add p-relay2 type veth peer name eth0 netns /ns/relay2", "link set p-relay2 up"]),
        (
            "relay2",
            ["link set eth0 up", "address add 203.0.113.11/24 dev eth0", "route replace default via 203.0.113.1"],
        ),
    ]


def test_a_host_that_moves_has_only_its_new_address(fed: list[tuple[str, list[str]]]) -> None:
    network.readdress(Anywhere(), SPARE)
    [(name, lines)] = fed
    assert (name, lines[0]) == ("relay2", "address flush dev eth0")
