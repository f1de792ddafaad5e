"""An inventory: which hosts there are, how each is reached, where its node is. `inventory_loader` reads one.

Paths and defaults are those of the roles (roles/*/defaults, roles/kaspa_node/vars): each is written only there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from operations.connection_settings import ConnectionSettings
from operations.problems import UsageProblem

CHECKOUT = Path(__file__).resolve().parent.parent
RELAY, PEER = "relay", "peer"


@dataclass(frozen=True)
class Places:
    """The paths of a node on its host. config: its TOML file. log: of a plain process, otherwise None.

    lock: who changes the host holds this file (operations/locks.py).

    command: starts `kaspa-node`, to be run with `environment` added. directory: of a plain process, otherwise None.
    user: the owner of its files; None if it is the user who deployed.
    """

    state_dir: str
    key: str
    config: str
    control: str
    facts_dir: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str | None
    log: str | None
    lock: str
    user: str | None


@dataclass(frozen=True)
class Node:
    """A host of the inventory with the node on it.

    role: `relay` or `peer`. manager: `systemd` or `process`. service: `kaspa-relay` or `kaspa-peer`.
    dials: the names of the peers that it keeps a session with. address: what Ansible reaches it at.
    """

    name: str
    role: str
    manager: str
    service: str
    paths: Places
    dials: tuple[str, ...]
    address: str
    settings: ConnectionSettings
    _variable: Callable[[str, Any], Any] = field(repr=False, compare=False)

    def variable(self, name: str, default: Any = None) -> Any:
        """A variable of this host, templated; the roles' defaults and variables count. Raises UsageProblem."""
        return self._variable(name, default)

    @property
    def native(self) -> tuple[str, ...]:
        """The units of the host's native Kaspa programs, such as `kaspa-native-server`."""
        return tuple(f"kaspa-native-{program}" for program in self.variable("kaspa_native_programs", []))


@dataclass(frozen=True)
class Inventory:
    """source: where it was read from, as the user would write it. nodes: by name, in the inventory's order."""

    source: str
    nodes: Mapping[str, Node]

    @cached_property
    def relays(self) -> tuple[Node, ...]:
        """All relays."""
        return tuple(node for node in self.nodes.values() if node.role == RELAY)

    @cached_property
    def peers(self) -> tuple[Node, ...]:
        """All peers."""
        return tuple(node for node in self.nodes.values() if node.role == PEER)

    def node(self, name: str) -> Node:
        """The host of that name. Raises UsageProblem, which names the hosts that there are."""
        try:
            return self.nodes[name]
        except KeyError:
            raise UsageProblem(f"no host {name!r} in {self.source}; it has {', '.join(self.nodes)}") from None

    def some(self, names: str | None) -> tuple[Node, ...]:
        """The hosts of a list with commas; all hosts without a list. Raises UsageProblem."""
        if names is None:
            return tuple(self.nodes.values())
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        if not wanted:
            raise UsageProblem(f"no host is named; {self.source} has {', '.join(self.nodes)}")
        return tuple(self.node(name) for name in dict.fromkeys(wanted))

    def pair(self, a: str | None = None, b: str | None = None) -> tuple[Node, Node]:
        """The dialer and the dialed peer. Without names the pair of verify: the first peer that dials, and the first
        that it dials.

        With one name, that host and a peer that it dials, otherwise one that dials it. Raises UsageProblem.
        """
        if a and b:
            first, second = self._peer(a), self._peer(b)
            if first == second:
                raise UsageProblem(f"{a} can't be both ends of a session; name two peers")
            return first, second
        if a or b:
            one = self._peer(a or b or "")
            others = [*one.dials, *(peer.name for peer in self.peers if one.name in peer.dials)]
            if not others:
                raise UsageProblem(f"{one.name} dials no peer and no peer dials it; name the other peer too")
            other = self._peer(others[0])
            return (one, other) if one.dials else (other, one)
        for peer in self.peers:
            if peer.dials:
                return peer, self._peer(peer.dials[0])
        raise UsageProblem(f"no peer of {self.source} dials another; set kaspa_peer_dials, or name two peers")

    def _peer(self, name: str) -> Node:
        node = self.node(name)
        if node.role != PEER:
            names = ", ".join(peer.name for peer in self.peers) or "none"
            raise UsageProblem(f"{name} is a {node.role}, not a peer; peers are {names}")
        return node
