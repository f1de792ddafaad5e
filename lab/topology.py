"""The topology: three hosts, two NAT routers, one public segment.

    client 10.1.0.2 ── nat-client 203.0.113.20 ──┐
                                                  ├── public segment ── relay 203.0.113.10
    server 10.2.0.2 ── nat-server 203.0.113.30 ──┘

A spare public host can be added, and a public host can move to another address (lab/public.py).
The public segment is a hub in user space that delays frames; packages come from 203.0.113.80 without delay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PREFIX = "kl-"
"""The prefix of every network namespace and machine name of the lab."""

PUBLIC_NETWORK = "203.0.113.0/24"
GATEWAY = "203.0.113.1"
PACKAGES = "203.0.113.80"
HUB = "hub"
"""The namespace that has only the hub's ports."""

PUBLIC = "pub"
"""The namespace of the public segment's gateway and package forwarder."""

PUBLIC_PORT = "eth0"
PEER_TCP_PORT = 4012


@dataclass(frozen=True)
class Host:
    """A machine of the lab; `vantage` is the namespace it is reached from, the LAN side of its own firewall."""

    name: str
    address: str
    gateway: str
    vantage: str

    @property
    def public(self) -> bool:
        """Whether it is on the public segment, without a router."""
        return self.vantage == PUBLIC


@dataclass(frozen=True)
class Router:
    """A NAT router: `public` on the segment (interface wan), `lan` towards `host` (interface lan)."""

    name: str
    public: str
    lan: str
    host: str


@dataclass(frozen=True)
class Port:
    """An interface on the public segment; `port` is its other end, in the hub's namespace."""

    namespace: str
    interface: str
    addresses: tuple[str, ...]
    delayed: bool

    @property
    def port(self) -> str:
        return f"p-{self.namespace}"


def public_port(host: Host) -> Port:
    """The interface of a public host."""
    return Port(host.name, PUBLIC_PORT, (host.address,), delayed=True)


HOSTS = (
    Host("relay", "203.0.113.10", GATEWAY, PUBLIC),
    Host("server", "10.2.0.2", "10.2.0.1", "nat-server"),
    Host("client", "10.1.0.2", "10.1.0.1", "nat-client"),
)
SPARE = Host("relay2", "203.0.113.11", GATEWAY, PUBLIC)
"""A public host that is booted on request only."""

ROUTERS = (
    Router("nat-client", "203.0.113.20", "10.1.0.1", "client"),
    Router("nat-server", "203.0.113.30", "10.2.0.1", "server"),
)
PORTS = (
    Port(PUBLIC, PUBLIC_PORT, (GATEWAY, PACKAGES), delayed=False),
    *(public_port(host) for host in HOSTS if host.public),
    *(Port(router.name, "wan", (router.public,), delayed=True) for router in ROUTERS),
)
NAMESPACES = (HUB, PUBLIC, *(host.name for host in HOSTS), *(router.name for router in ROUTERS))
NETWORKS = (PUBLIC_NETWORK, "10.1.0.0/24", "10.2.0.0/24")


def host(name: str) -> Host:
    """The host of that name, with its first address; ValueError lists the known ones."""
    return known_host(name, HOSTS)


def known_host(name: str, hosts: Sequence[Host]) -> Host:
    """The host with that name; ValueError lists them all."""
    for candidate in hosts:
        if candidate.name == name:
            return candidate
    raise ValueError(f"no host {name!r} in the lab; there are {', '.join(each.name for each in hosts)}")


def router(name: str) -> Router:
    """The router of that name, or the router of the host of that name; ValueError lists the known ones."""
    for candidate in ROUTERS:
        if name in (candidate.name, candidate.host):
            return candidate
    raise ValueError(f"no NAT router {name!r} in the lab; there are {', '.join(r.name for r in ROUTERS)}")
