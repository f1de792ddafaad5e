"""Finds out what listens on this host, and who, from `ss -Htulnpe`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

COMMAND = ("ss", "-Htulnpe")

_USER = re.compile(r'users:\(\("(?P<name>(?:[^"\\]|\\.)*)",pid=(?P<pid>[0-9]+)')
_CGROUP = re.compile(r"cgroup:(?P<path>\S+)")


@dataclass(frozen=True, order=True)
class Listener:
    """protocol: `tcp` or `udp`. address: an IP address, or `*` for all of both families. owner: a unit or program."""

    protocol: str
    port: int
    address: str
    owner: str

    @property
    def local(self) -> bool:
        """Whether only this host can reach it."""
        return self.address != "*" and ipaddress.ip_address(self.address).is_loopback

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions that it listens on."""
        return (4, 6) if self.address == "*" else (ipaddress.ip_address(self.address).version,)


def parse(text: str) -> list[Listener]:
    """Every socket that waits for connections or datagrams; lines that are none are left out."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 5:
            continue
        address, _, port = words[4].rpartition(":")
        if port.isdigit():
            # A socket for both families that is bound to an IPv4 address shows that as ::ffff:192.0.2.1.
            address = address.partition("%")[0].strip("[]").partition("%")[0].removeprefix("::ffff:")
            found.append(Listener(words[0], int(port), address, _owner(line)))
    return found


def owners(listeners: list[Listener]) -> dict[int, str]:
    """TCP port → the systemd unit that listens there, or the program with its process id."""
    found: dict[int, str] = {}
    for each in listeners:
        if each.protocol == "tcp":
            found.setdefault(each.port, each.owner)
    return found


def _owner(line: str) -> str:
    cgroup, user = _CGROUP.search(line), _USER.search(line)
    unit = cgroup["path"].rpartition("/")[2] if cgroup else ""
    if unit.endswith((".service", ".socket")):
        return unit
    return f"{user['name']} (pid {user['pid']})" if user else "another program"
