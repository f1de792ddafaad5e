"""The steps that connect the namespaces, in an order that can work."""

from __future__ import annotations

from lab.network import batches
from lab.topology import HUB, NAMESPACES

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
