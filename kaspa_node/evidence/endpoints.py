"""Socket addresses in any notation."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_MULTIADDR = re.compile(r"/ip[46]/([0-9A-Fa-f:.]{2,45})/tcp/([0-9]{1,5})(?:/p2p/[1-9A-HJ-NP-Za-km-z]+)?")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})(?:%[\w.-]+)?\]:([0-9]{1,5})", re.ASCII)
_PLAIN = re.compile(r"([0-9.]{7,15})(?:%[\w.-]+)?:([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One end of a TCP connection: an address in canonical text (IPv4-mapped IPv6 becomes IPv4) and a port."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def canonical_ip(text: str) -> str | None:
    """The canonical text of an IP address, or None if `text` is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def parse_endpoint(text: str) -> Endpoint | None:
    """Read `10.1.0.2:4012`, `[fd00::1]:4012` or `/ip4/10.1.0.2/tcp/4012`; None if it is none of these."""
    for pattern in (_PLAIN, _BRACKETED, _MULTIADDR):
        match = pattern.fullmatch(text)
        if match:
            ip, port = canonical_ip(match[1]), int(match[2])
            return Endpoint(ip, port) if ip is not None and 0 < port < 65536 else None
    return None
