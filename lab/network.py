"""Links, addresses and routes inside namespaces that exist; the same for booted hosts and for plain processes."""

from __future__ import annotations

from typing import Protocol

from lab.command import run
from lab.topology import GATEWAY, HOSTS, HUB, NAMESPACES, PORTS, PUBLIC_PORT, ROUTERS, Host, public_port


class Namespaces(Protocol):
    """How the lab's network namespaces are found and entered."""

    def path(self, name: str) -> str:
        """A file that stands for the namespace: below /run/netns, or /proc/PID/ns/net."""

    def enter(self, name: str) -> list[str]:
        """What goes before a command line so that it runs in the namespace."""


def batches(path_of: dict[str, str]) -> list[tuple[str, list[str]]]:
    """`ip -batch` lines, by namespace, in the order in which they must run; `path_of` names each namespace's file."""
    segment = [
        f"link add {port.port} type veth peer name {port.interface} netns {path_of[port.namespace]}" for port in PORTS
    ]
    result = [(HUB, [*segment, *(f"link set {port.port} up" for port in PORTS)])]
    for router in ROUTERS:
        lan = f"link add lan type veth peer name eth0 netns {path_of[router.host]}"
        result.append((router.name, [lan, f"address add {router.lan}/24 dev lan", "link set lan up"]))
    for port in PORTS:
        addresses = [f"address add {address}/24 dev {port.interface}" for address in port.addresses]
        result.append((port.namespace, [*addresses, f"link set {port.interface} up"]))
    for host in HOSTS:
        if not any(port.namespace == host.name for port in PORTS):
            result.append((host.name, [f"address add {host.address}/24 dev eth0", "link set eth0 up"]))
    gateways = {host.name: host.gateway for host in HOSTS} | {router.name: GATEWAY for router in ROUTERS}
    result += [(name, [f"route add default via {gateway}"]) for name, gateway in gateways.items()]
    return result


def build(namespaces: Namespaces) -> None:
    """Connect the namespaces. The hub itself is started apart: until then nothing crosses the public segment.

    Raises LabError when the kernel refuses a step.
    """
    for name in NAMESPACES:
        settings = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"] if name == HUB else []
        settings += ["net.ipv4.ip_forward=1"] if any(router.name == name for router in ROUTERS) else []
        run([*namespaces.enter(name), "ip", "link", "set", "lo", "up"])
        for setting in settings:
            run([*namespaces.enter(name), "sysctl", "-qw", setting])
    paths = {name: namespaces.path(name) for name in NAMESPACES}
    for name, lines in batches(paths):
        _batch(namespaces, name, lines)


def attach(namespaces: Namespaces, host: Host) -> None:
    """Put one more host on the public segment; the hub has to be told of its port. Raises LabError."""
    port = public_port(host)
    link = f"link add {port.port} type veth peer name {port.interface} netns {namespaces.path(host.name)}"
    run([*namespaces.enter(host.name), "ip", "link", "set", "lo", "up"])
    _batch(namespaces, HUB, [link, f"link set {port.port} up"])
    _batch(namespaces, host.name, [f"link set {port.interface} up", *_addressed(host)])


def readdress(namespaces: Namespaces, host: Host) -> None:
    """Give a public host its present address instead of whatever it had. Raises LabError."""
    _batch(namespaces, host.name, [f"address flush dev {PUBLIC_PORT}", *_addressed(host)])


def _addressed(host: Host) -> list[str]:
    return [f"address add {host.address}/24 dev {PUBLIC_PORT}", f"route replace default via {host.gateway}"]


def _batch(namespaces: Namespaces, name: str, lines: list[str]) -> None:
    run([*namespaces.enter(name), "ip", "-batch", "-"], stdin="\n".join(lines) + "\n")
