"""External backends in an inventory: finds what can't work, and their ports, before a host is changed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NATIVE_ADDRESS = "[::1]:50051"
"""Where the native server listens and the native client connects; neither can be changed (kaspa-p2p-lib 0.15.0)."""

SHARED = "/run/kaspa-peer/"
"""The directory of unix sockets that deploy makes for the group `kaspa_peer_socket_group`."""

# What the hardened unit can't see: ProtectHome=yes and PrivateTmp=yes.
HIDDEN = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")
EXPECTED = "IP:PORT or unix:/PATH, such as 127.0.0.1:16111"

_TCP = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[0-9]{1,5})")

Variables = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a program listens: path of a unix socket, or "" with address and port of TCP."""

    path: str = ""
    address: str = ""
    port: int = 0

    @property
    def loopback(self) -> bool:
        """Whether only programs of the same host can connect to it."""
        return bool(self.path) or ipaddress.ip_address(self.address).is_loopback


def place(text: object) -> Place | None:
    """The place that a variable names; None if it is none."""
    if not isinstance(text, str):
        return None
    if text.startswith("unix:/"):
        return Place(path=text.removeprefix("unix:"))
    match = _TCP.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 0xFFFF:
        return None
    try:
        address = ipaddress.ip_address(match["six"] or match["four"])
    except ValueError:
        return None
    return (
        Place(address=str(address), port=int(match["port"])) if (address.version == 6) == bool(match["six"]) else None
    )


def kaspa_backend_problems(groups: Mapping[str, Any], hostvars: Mapping[str, Any]) -> list[str]:
    """The problems of the peers' backends and native programs: `problem; remedy`."""
    peers = list(groups.get("peers", []))
    found = []
    for name in peers:
        variables = hostvars[name]
        dialers = [other for other in peers if name in (hostvars[other].get("kaspa_peer_dials") or [])]
        found += [f"{name} {problem}" for problem in _of_backend(variables, dialers)]
        found += [f"{name} {problem}" for problem in _of_native(variables)]
    for name in groups.get("relays", []):
        if hostvars[name].get("kaspa_native_programs"):
            found.append(f"{name} is a relay and has kaspa_native_programs; native programs are for peers")
    return found


def _of_backend(variables: Variables, dialers: list[str]) -> Iterator[str]:
    address, listens = variables.get("kaspa_peer_backend_address"), variables.get("kaspa_peer_dial_listens") or {}
    if variables.get("kaspa_peer_backend", "embedded") != "external":
        for key, value in (("kaspa_peer_backend_address", address), ("kaspa_peer_dial_listens", listens)):
            if value:
                yield f"sets {key}, which an embedded backend has no use for; set kaspa_peer_backend: external, too"
        return
    dials = variables.get("kaspa_peer_dials") or []
    if not address and (dialers or variables.get("kaspa_peer_allow")):
        why = f"{' and '.join(dialers)} dials it" if dialers else "its kaspa_peer_allow lets peers in"
        yield (
            f"has an external backend and no kaspa_peer_backend_address, though {why}; "
            f"set it to where the backend listens, {EXPECTED}"
        )
    if address:
        yield from _of_address(address)
    for other in dials:
        if other not in listens:
            yield (
                f"dials {other} for an external backend, and no program could reach it there; "
                f"say where to listen for them, kaspa_peer_dial_listens: {{{other}: 127.0.0.1:16211}} for one"
            )
    for other, listen in listens.items():
        if other not in dials:
            yield f"has {other} in kaspa_peer_dial_listens and does not dial it; add it to kaspa_peer_dials"
        yield from _of_listen(other, listen, variables)
    taken = [where for where in map(place, listens.values()) if where is not None]
    if len(set(taken)) < len(taken):
        yield "has one address for two hosts in kaspa_peer_dial_listens; give each its own"
    if address and place(address) in taken:
        yield "has the backend's own address in kaspa_peer_dial_listens: it would be connected to itself; change one"


def _of_address(text: object) -> Iterator[str]:
    where = place(text)
    if where is None:
        yield f"has the kaspa_peer_backend_address {text!r}; expected {EXPECTED}"
    elif where.path.startswith(HIDDEN):
        yield (
            f"has its backend at {text}, which the hardened service does not see; put the socket elsewhere, "
            f"below {SHARED} for one (kaspa_peer_socket_group)"
        )


def _of_listen(other: str, text: object, variables: Variables) -> Iterator[str]:
    where = place(text)
    by_systemd = variables.get("kaspa_node_manager", "systemd") == "systemd"
    if where is None:
        yield f"has {text!r} for {other} in kaspa_peer_dial_listens; expected {EXPECTED}"
    elif not where.loopback:
        yield (
            f"listens at {text} for {other}, open to the network: whoever connects there speaks as this peer; "
            "use a loopback address, such as 127.0.0.1"
        )
    elif where.path and by_systemd and not (where.path.startswith(SHARED) and variables.get("kaspa_peer_socket_group")):
        yield (
            f"listens at {text} for {other}, where no other program could connect; put the socket below {SHARED}, "
            "and name in kaspa_peer_socket_group whom it is for"
        )


def _of_native(variables: Variables) -> Iterator[str]:
    programs = variables.get("kaspa_native_programs") or []
    if not programs:
        return
    if variables.get("kaspa_node_manager", "systemd") != "systemd":
        yield "has kaspa_native_programs, which only systemd runs; set kaspa_node_manager: systemd"
    if len(set(programs)) > 1:
        yield "has both kaspa_native_programs, and the client would find its own host's server; keep one of them"
    native = place(NATIVE_ADDRESS)
    if "server" in programs and place(variables.get("kaspa_peer_backend_address")) != native:
        yield (
            f"has the native server, which listens at {NATIVE_ADDRESS} and nowhere else; "
            f'set kaspa_peer_backend: external and kaspa_peer_backend_address: "{NATIVE_ADDRESS}"'
        )
    listens = [place(listen) for listen in (variables.get("kaspa_peer_dial_listens") or {}).values()]
    if "client" in programs and native not in listens:
        yield (
            f"has the native client, which connects to {NATIVE_ADDRESS} and nowhere else; "
            f'set kaspa_peer_backend: external and kaspa_peer_dial_listens: {{HOST: "{NATIVE_ADDRESS}"}}'
        )


def kaspa_local_ports(variables: Variables) -> list[dict[str, Any]]:
    """The loopback ports that a host's deploy needs: port, the unit that may use it, and how to choose another."""
    listens = variables.get("kaspa_peer_dial_listens") or {}
    taken = [
        {"port": where.port, "unit": "kaspa-peer.service", "remedy": "set another address in kaspa_peer_dial_listens"}
        for where in map(place, listens.values())
        if where is not None and not where.path
    ]
    if "server" in (variables.get("kaspa_native_programs") or []):
        remedy = "take the server out of kaspa_native_programs: it knows no other"
        taken.append({"port": 50051, "unit": "kaspa-native-server.service", "remedy": remedy})
    return taken


class FilterModule:
    """The interface of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → filter."""
        return {"kaspa_backend_problems": kaspa_backend_problems, "kaspa_local_ports": kaspa_local_ports}
