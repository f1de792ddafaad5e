"""A stable socket address for a peer whose connection has none.

kaspad names peers by socket address, and a libp2p stream has none that means anything: the relayed path ends at the
relay. As in the fork (transport/driver), a private IPv6 address is derived from the peer id and the kind of path, so
that the relayed and the direct session of one peer are two different peers to Kaspa. The fork's hash is Rust's own
and no contract; ours is SHA-256.
"""

from __future__ import annotations

import hashlib
import ipaddress

PREFIX = ipaddress.IPv6Network("fdff::/64")
_HIGH_PORT = 0x8000


def socket_address(peer: str, path: str) -> str:
    """`[fdff::xxxx:xxxx:xxxx:xxxx]:port` of a peer id (its text) over a path (`direct` or `relayed`); port ≥ 32768."""
    digest = hashlib.sha256(f"{peer}\n{path}".encode()).digest()
    ip = PREFIX[int.from_bytes(digest[:8], "big")]
    port = int.from_bytes(digest[8:10], "big") | _HIGH_PORT
    return f"[{ip}]:{port}"


def is_synthetic(address: str) -> bool:
    """Whether a socket address text is one of ours."""
    ip = host_of(address)
    try:
        return ipaddress.ip_address(ip) in PREFIX
    except ValueError:
        return False


def host_of(address: str) -> str:
    """The host in `host:port` or `[host]:port`; the text itself when it has no port."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, colon, _ = address.rpartition(":")
    return host if colon and ":" not in host else address
