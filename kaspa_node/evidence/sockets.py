"""The kernel's own list of TCP sockets, as `ss -HtneiO` prints it (add `p` for process ids).

This module needs only the standard library: the same parser runs on the hosts where evidence is collected.
Fields by iproute2's misc/ss.c: `ino:` inode, `sk:` the socket's cookie, which no second socket ever has until the host
reboots, `cgroup:` the path below the cgroup2 mount, `bytes_…:` from struct tcp_info.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

COMMAND = ("ss", "-HtneiOp")
ESTABLISHED = "ESTAB"

_LINE = re.compile(r"([A-Z][A-Z0-9-]*) +([0-9]+) +([0-9]+) +(\S+) +(\S+)(?: +(.*))?")
_PID = re.compile(r'",pid=([0-9]+),fd=[0-9]+\)')
_ADDRESS = re.compile(r"(.+?)(%[^\]:]+)?(\]?):([0-9]+|\*)")


@dataclass(frozen=True, slots=True)
class Socket:
    """One TCP socket.

    local, remote: `10.1.0.2:4012` or `[fd00::1]:4012`, without a zone.
    bytes_sent: handed to the network, retransmissions included; bytes_acked: acknowledged by the other end, one more
    than the payload if this end sent the SYN; bytes_received: payload. None if the kernel gave no tcp_info.
    cookie: hexadecimal text. cgroup: None if ss printed none. pids: empty if ss was not allowed to see them.
    """

    state: str
    local: str
    remote: str
    bytes_sent: int | None
    bytes_acked: int | None
    bytes_received: int | None
    cookie: str | None
    inode: int | None
    cgroup: str | None
    pids: tuple[int, ...]

    def as_entry(self) -> dict[str, object]:
        """The socket as an entry of a snapshot's `sockets`."""
        return asdict(self) | {"pids": list(self.pids)}


def in_cgroup_of(cgroup: str | None, service: str) -> bool:
    """Whether a cgroup path is that of the systemd service `service` (with or without its suffix), or below it."""
    unit = service if service.endswith(".service") else f"{service}.service"
    return cgroup is not None and unit in cgroup.split("/")


def parse(text: str) -> list[Socket]:
    """Every socket that the output names; other lines are skipped."""
    return [socket for line in text.split("\n") if (socket := _parse_line(line)) is not None]


def _parse_line(line: str) -> Socket | None:
    match = _LINE.fullmatch(line.rstrip())
    if match is None:
        return None
    local, remote = _address(match[4]), _address(match[5])
    if local is None or remote is None:
        return None
    pids, words = _attributes(match[6] or "")
    # ss omits a counter while it is zero; without tcp_info it omits all of them, and `rto:` too.
    unknown = 0 if "rto" in words else None
    return Socket(
        state=match[1],
        local=local,
        remote=remote,
        bytes_sent=_number(words, "bytes_sent", unknown),
        bytes_acked=_number(words, "bytes_acked", unknown),
        bytes_received=_number(words, "bytes_received", unknown),
        cookie=words.get("sk"),
        inode=_number(words, "ino", None),
        cgroup=words.get("cgroup"),
        pids=pids,
    )


def _attributes(text: str) -> tuple[tuple[int, ...], dict[str, str]]:
    """Process ids, and the `name:value` words after them; a process can choose its name, but not the words after it."""
    pids: tuple[int, ...] = ()
    if text.startswith("users:(("):
        users, _, text = text.rpartition("))")
        pids = tuple(sorted({int(pid) for pid in _PID.findall(users + ")")}))
    words: dict[str, str] = {}
    for word in text.split():
        name, colon, value = word.partition(":")
        if colon:
            words.setdefault(name, value)
    return pids, words


def _number(words: dict[str, str], name: str, absent: int | None) -> int | None:
    text = words.get(name)
    if text is None:
        return absent
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _address(text: str) -> str | None:
    match = _ADDRESS.fullmatch(text)
    return f"{match[1]}{match[3]}:{match[4]}" if match else None
