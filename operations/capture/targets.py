"""The routers of a lab, as places where commands can run as on a host."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from operations.connection_settings import ConnectionSettings
from operations.inventory import Inventory


@dataclass(frozen=True)
class Router:
    """A router of the lab. host: the host behind it. enter: the words before a command line that make it run there."""

    name: str
    host: str
    enter: tuple[str, ...]
    settings: ConnectionSettings = ConnectionSettings(address=None, interpreter=sys.executable)


@dataclass(frozen=True)
class Surroundings:
    """What is between the hosts.

    one_user: all of it is in a user namespace on this machine. loopback: all hosts are addresses of this machine.
    """

    routers: tuple[Router, ...] = ()
    one_user: bool = False
    loopback: bool = False


def surroundings(inventory: Inventory, hosts: Iterable[str]) -> Surroundings:
    """What is between these hosts: the routers of a lab, if the inventory is one of a lab."""
    nodes = list(inventory.nodes.values())
    if not all(node.variable("lab", False) for node in nodes):
        return Surroundings()
    from lab.topology import ROUTERS

    before = [router for router in ROUTERS if router.host in set(hosts)]
    if all(node.manager == "systemd" for node in nodes):
        from lab.namespaces import NamedNamespaces

        named = NamedNamespaces()
        return Surroundings(tuple(Router(each.name, each.host, tuple(named.enter(each.name))) for each in before))
    from lab.local import lab
    from lab.local.namespaces import KeptNamespaces
    from lab.local.state import NAMESPACES, State
    from lab.paths import Paths

    state = State.read(lab.state_file(Paths()))
    if state is None or state.mode != NAMESPACES:
        return Surroundings(loopback=True)
    kept = KeptNamespaces(state.pids)
    routers = tuple(Router(each.name, each.host, tuple(kept.enter(each.name))) for each in before)
    return Surroundings(routers, one_user=True)
