"""Addresses of other programs on this machine, as people and kaspad write them: `127.0.0.1:16111`, `unix:/path`."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from kaspa_node.settings.addresses import BadValue
from kaspa_node.settings.values import LocalAddress

EXPECT_LOCAL = "IP:PORT or unix:/PATH, such as 127.0.0.1:16111, [::1]:50051 or unix:/run/kaspad/p2p.sock"
EXPECT_LOOPBACK = "a loopback address IP:PORT or unix:/PATH, such as 127.0.0.1:16211 or unix:/run/kaspa-node/a.sock"

# sun_path holds 108 bytes on Linux with its final zero, 104 on macOS; the smaller one keeps a file portable.
SOCKET_PATH_BYTES = 103
_UNIX = "unix:"


def parse_local(text: str) -> LocalAddress:
    """A unix socket, or the address and port of a TCP socket; raises BadValue."""
    if text.startswith(_UNIX):
        return _unix(text, text.removeprefix(_UNIX))
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise BadValue(text, "has no port", EXPECT_LOCAL)
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ip = ipaddress.ip_address(bare)
    except ValueError as error:
        raise BadValue(text, "has no IP address before its port", EXPECT_LOCAL) from error
    if (ip.version == 6) != (bare != host):
        raise BadValue(text, "has its brackets wrong: IPv6 addresses have them, IPv4 addresses don't", EXPECT_LOCAL)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 0xFFFF):
        raise BadValue(text, "has no port from 1 to 65535", EXPECT_LOCAL)
    return LocalAddress(host=str(ip), port=int(port))


def parse_loopback(text: str) -> LocalAddress:
    """The same, but only an address that programs of this machine can connect to; raises BadValue.

    A program that connects there speaks to the remote in this peer's name, so the network must not reach the port.
    """
    address = parse_local(text)
    if address.path is None and not ipaddress.ip_address(address.host).is_loopback:
        raise BadValue(
            text, "is open to the network, but a program that connects there speaks as this peer", EXPECT_LOOPBACK
        )
    return address


def _unix(text: str, path: str) -> LocalAddress:
    if not path.startswith("/") or not path.isprintable():
        raise BadValue(text, "has no absolute path after unix:", EXPECT_LOCAL)
    if len(path.encode()) > SOCKET_PATH_BYTES:
        raise BadValue(text, f"has a path of more than {SOCKET_PATH_BYTES} bytes, too long for a socket", EXPECT_LOCAL)
    return LocalAddress(path=Path(path))
