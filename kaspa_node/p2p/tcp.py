"""TCP sockets that share the listening port.

A mapping of the NAT belongs to a local port. Only connections from the listening port use the mapping that relays have
observed and reported to remotes, so every socket here is bound with SO_REUSEPORT.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

import trio

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.errors import ConnectionLost, DialError, ListenError, PortBusy

BACKLOG = 512
# The kernel ends a connection whose remote acknowledges nothing for this long (milliseconds).
USER_TIMEOUT_MS = 20_000
# With its headers (40 and 20 bytes) such a segment has 1,280 bytes: every IPv6 path has to carry that. It costs 1 %
# more bytes on the wire and 20 % more packets. In the lab no cost was measured (docs/how-it-works.md).
SMALL_SEGMENT = 1220
# Segments of this machine's loopback are larger. On no path between two machines are they.
_LARGEST_SEGMENT = 9000

_FAMILIES = {
    "ip4": socket.AF_INET,
    "ip6": socket.AF_INET6,
    "dns4": socket.AF_INET,
    "dns6": socket.AF_INET6,
    "dns": socket.AF_UNSPEC,
}


def _socket(ipv6: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Set on every socket, also on those that listen: accepted sockets inherit it (tcp(7)).
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    if ipv6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def listen(address: SocketAddress) -> socket.socket:
    """A listening socket on `address`. Raises ListenError.

    SO_REUSEPORT would let two programs of one user share a port in silence, so the port is first tried without it.
    """
    try:
        if address.port:
            with _socket(address.is_ipv6) as probe:
                probe.bind(address)
                probe.listen(1)
        sock = _socket(address.is_ipv6)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(address)
            sock.listen(BACKLOG)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise _listen_error(address, error) from error
    return sock


def refuse(sock: socket.socket) -> None:
    """Close a connection with RST, so that nothing is left of it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _listen_error(address: SocketAddress, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(address, "the port is in use", "stop the other program or choose another port")
    if error.errno == errno.EADDRNOTAVAIL:
        return ListenError(address, "no interface of this machine has that address")
    if error.errno == errno.EACCES:
        return ListenError(address, "ports below 1024 need a privilege", "choose a higher one")
    return ListenError(address, error.strerror or str(error))


def full_segment(sock: socket.socket) -> int:
    """How many bytes a full-size segment of a connected socket has."""
    return min(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), _LARGEST_SEGMENT)


async def connect(
    remote: SocketAddress, local: SocketAddress | None = None, *, segment: int | None = None
) -> socket.socket:
    """A connected socket to `remote`, from `local` (with port reuse) if given. Raises DialError, also PortBusy.

    segment: bytes of the largest TCP segment in both directions, or None for what the interface has.
    """
    sock = _socket(remote.is_ipv6)
    connected = False
    try:
        if local is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(local)
        if segment is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        code = sock.connect_ex(remote)
        if code == errno.EINPROGRESS:
            await trio.lowlevel.wait_writable(sock.fileno())
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        connected = True
    except OSError as error:
        busy = local is not None and error.errno in (errno.EADDRNOTAVAIL, errno.EADDRINUSE)
        raise (PortBusy if busy else DialError)(error.strerror or str(error), remote) from error
    finally:
        if not connected:
            sock.close()
    return sock


async def resolve(host: str, port: int, family: str) -> list[SocketAddress]:
    """The addresses of a host, in the resolver's order; an IP address is returned as it is. Raises DialError.

    family: the multiaddr protocol that names the host (multiaddr protocol table): ip4, ip6, dns4 (IPv4 addresses only),
    dns6 (IPv6 only) or dns (both).
    """
    try:
        found = await trio.socket.getaddrinfo(host, port, family=_FAMILIES[family], type=socket.SOCK_STREAM)
    except OSError as error:
        raise DialError(f"the name {host} can't be resolved: {error.strerror or error}") from error
    except UnicodeError as error:
        raise DialError(f"the name {host} can't be resolved: it is no valid host name ({error})") from error
    return list(dict.fromkeys(SocketAddress(str(name[0]), int(name[1])) for *_, name in found))


def names(sock: socket.socket) -> tuple[SocketAddress, SocketAddress]:
    """The local and the remote address of a connected socket. Raises ConnectionLost if it has ended."""
    try:
        local, remote = sock.getsockname(), sock.getpeername()
    except OSError as error:
        raise ConnectionLost(f"the connection is gone already: {error.strerror}") from error
    return SocketAddress(local[0], local[1]), SocketAddress(remote[0], remote[1])
