"""Finds the program that listens on a TCP port, from `ss -Htlnp`."""

from __future__ import annotations

import re

_USER = re.compile(r'users:\(\("(?P<name>(?:[^"\\]|\\.)*)",pid=(?P<pid>[0-9]+)')
_CGROUP = re.compile(r"cgroup:(?P<path>\S+)")


def parse(text: str) -> dict[int, str]:
    """Port → the systemd unit that listens there, or the program with its process id."""
    owners: dict[int, str] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        port = words[3].rpartition(":")[2]
        if port.isdigit():
            owners.setdefault(int(port), _owner(line))
    return owners


def _owner(line: str) -> str:
    cgroup, user = _CGROUP.search(line), _USER.search(line)
    unit = cgroup["path"].rpartition("/")[2] if cgroup else ""
    if unit.endswith(".service"):
        return unit
    return f"{user['name']} (pid {user['pid']})" if user else "another program"
