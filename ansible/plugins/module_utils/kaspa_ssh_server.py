"""Where this host's SSH server listens, and by which of its ports this connection came."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import output

_CONFIGURED = re.compile(r"^port (\d+)$", re.MULTILINE)
_LISTEN = re.compile(r"^Listen=.*?(?P<address>\S+):(?P<port>\d+) \(Stream\)$", re.MULTILINE)
_SERVER = re.compile(r'"(?:sshd|dropbear)"|cgroup:\S*/(?:ssh|sshd)(?:@[^/\s]*)?\.(?:service|socket)')
_SOCKETS = ("ssh.socket", "sshd.socket")
_LOOPBACK = re.compile(r"^(127\.|\[?::1\]?$)")


@dataclass(frozen=True)
class Came:
    """The SSH connection that a program was started over. source: the client's address; to, port: the server's."""

    source: str
    port: int
    to: str = ""


def came_by(pid: int, read: Callable[[str], bytes]) -> Came | None:
    """The connection of a process, from the environment of its nearest parent that has it: sudo takes it away.

    read: gives a file's bytes; raises OSError.
    """
    while pid > 1:
        try:
            environment = read(f"/proc/{pid}/environ").split(b"\0")
            fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        except OSError:
            return None
        for entry in environment:
            words = entry.partition(b"SSH_CONNECTION=")[2].decode(errors="replace").split()
            if entry.startswith(b"SSH_CONNECTION=") and len(words) == 4 and words[3].isdigit():
                source, to = (words[place].removeprefix("::ffff:") for place in (0, 2))
                return Came(source, int(words[3]), to)
        pid = int(fields[1])
    return None


def listening(sockets: str) -> set[int]:
    """The ports of an SSH server that other hosts can reach, from the output of `ss -Htlnpe`."""
    found = set()
    for line in sockets.splitlines():
        words = line.split()
        if len(words) < 4 or not _SERVER.search(line):
            continue
        address, _, port = words[3].rpartition(":")
        if port.isdigit() and not _LOOPBACK.match(address):
            found.add(int(port))
    return found


def of_sockets(shown: str) -> set[int]:
    """The ports of systemd's sockets that are active, from `systemctl show`, a paragraph for each."""
    return {
        int(match["port"])
        for unit in shown.split("\n\n")
        if "ActiveState=active" in unit
        for match in _LISTEN.finditer(unit)
        if not _LOOPBACK.match(match["address"])
    }


def configured(printed: str) -> set[int]:
    """The ports from the output of `sshd -T`."""
    return {int(port) for port in _CONFIGURED.findall(printed)}


def ports(sockets: Iterable[int], listens: Iterable[int], of_config: Iterable[int], came: Came | None) -> set[int]:
    """All of them. A port of the configuration counts only without a socket of systemd, which is used in its place."""
    found = set(sockets) | set(listens) | (set() if set(sockets) else set(of_config))
    return found | ({came.port} if came else set())


def gather() -> tuple[set[int], Came | None]:
    """The ports of SSH on this host, and the connection that this program came over."""
    came = came_by(os.getppid(), lambda path: Path(path).read_bytes())
    found = ports(
        of_sockets(output(["systemctl", "show", "--property", "Listen,ActiveState", *_SOCKETS])),
        listening(output(["ss", "-Htlnpe"])),
        configured(output(["sshd", "-T"])),
        came,
    )
    return found, came
