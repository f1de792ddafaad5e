"""The state of the booted lab, from .lab/state.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

from lab.paths import Paths
from lab.topology import HOSTS, NAMESPACES, PORTS, ROUTERS, SPARE, Host, Port, known_host, public_port

DEFAULT_RTT_MS = 50.0


@dataclass
class State:
    """The options of `up`, and later changes. addresses: the present one of each host that is up.

    suite: the code name of the hosts' release.
    """

    base: str
    rtt_ms: float = DEFAULT_RTT_MS
    jitter_ms: float = 0.0
    nat: dict[str, str] = field(default_factory=lambda: {router.name: "plain" for router in ROUTERS})
    started: float = 0.0
    mode: str = "booted"
    suite: str = ""
    addresses: dict[str, str] = field(default_factory=lambda: {host.name: host.address for host in HOSTS})

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts that are up, with their present addresses."""
        present = [each for each in (*HOSTS, SPARE) if each.name in self.addresses]
        return tuple(replace(each, address=self.addresses[each.name]) for each in present)

    @property
    def relays(self) -> list[str]:
        """The addresses of the public hosts."""
        return [each.address for each in self.hosts if each.public]

    @property
    def namespaces(self) -> list[str]:
        """The network namespaces that must exist."""
        return [*NAMESPACES, *(each.name for each in self.hosts if each.name not in NAMESPACES)]

    @property
    def ports(self) -> list[Port]:
        """The interfaces on the public segment."""
        return [*PORTS, *(public_port(each) for each in self.hosts if each.name not in NAMESPACES)]

    def host(self, name: str) -> Host:
        """The host of that name, with its present address; ValueError lists the hosts that are up."""
        return known_host(name, self.hosts)

    def write(self, paths: Paths) -> None:
        paths.state.mkdir(exist_ok=True)
        partial = paths.state_file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n")
        partial.replace(paths.state_file)

    @classmethod
    def read(cls, paths: Paths) -> State | None:
        """None if no lab was brought up, or its state is damaged."""
        try:
            return cls(**json.loads(paths.state_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None
