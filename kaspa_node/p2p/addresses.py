"""Socket addresses, and how multiaddrs of the wire name them.

Only what a TCP hole punch can use is understood: `/ip4|ip6/<address>/tcp/<port>`, alone or with `/p2p/<peer id>` of the
peer that is reached there. Everything else a remote names is skipped, not an error.
Multiaddr protocol table: ip4 is 4, tcp is 6, ip6 is 41, p2p-circuit is 290, p2p is 421. Addresses and ports are in
network order, a peer id is a multihash with its length before it.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable
from typing import NamedTuple

from libp2p.peer.id import ID

from kaspa_node.p2p.wire import delimited, uvarint

_IP4, _TCP, _IP6 = 4, 6, 41
_IP4_BYTES, _IP6_BYTES = 1 + 4 + 1 + 2, 1 + 16 + 1 + 2
_CIRCUIT, _P2P = uvarint(290), uvarint(421)


class SocketAddress(NamedTuple):
    """An IP address as text and a TCP port."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> SocketAddress:
        """From the form that `str` gives, such as `203.0.113.20:4012` or `[2001:db8::1]:4012`."""
        ip, _, port = text.rpartition(":")
        return cls(ip.strip("[]"), int(port))

    @property
    def is_ipv6(self) -> bool:
        """True for an IPv6 address."""
        return ":" in self.ip

    def multiaddr(self) -> str:
        """The text form, such as `/ip4/203.0.113.20/tcp/4012`."""
        return f"/{'ip6' if self.is_ipv6 else 'ip4'}/{self.ip}/tcp/{self.port}"

    def encode(self) -> bytes:
        """The binary multiaddr."""
        code = _IP6 if self.is_ipv6 else _IP4
        return bytes([code]) + ipaddress.ip_address(self.ip).packed + bytes([_TCP]) + self.port.to_bytes(2, "big")


class Mapping(NamedTuple):
    """A local TCP port, and the address at which others see what comes from it."""

    port: int
    seen_at: SocketAddress


class Leg(NamedTuple):
    """The connection to a relay as this side's socket has it, whatever the relay says. local, relay: its two ends."""

    local: SocketAddress
    relay: SocketAddress


def _p2p(peer: str) -> bytes:
    """The component `/p2p/<peer>`."""
    return _P2P + delimited(bytes(ID.from_base58(peer).to_bytes()))


def encode_circuit(relay: SocketAddress, relay_id: str) -> bytes:
    """The binary multiaddr of a remote that comes through a relay: `<address of the relay>/p2p/<relay>/p2p-circuit`."""
    return relay.encode() + _p2p(relay_id) + _CIRCUIT


def decode(raw: bytes, peer: str) -> SocketAddress | None:
    """The socket address that a binary multiaddr names, or None if it is of another kind (a circuit, QUIC, DNS).

    peer: whose address it is. rust-libp2p ends addresses with `/p2p/<peer>`; the id of another peer is refused.
    """
    return _decode(raw, (b"", _p2p(peer)))


def _decode(raw: bytes, tails: tuple[bytes, ...]) -> SocketAddress | None:
    if len(raw) >= _IP4_BYTES and raw[0] == _IP4 and raw[5] == _TCP and raw[_IP4_BYTES:] in tails:
        return SocketAddress(str(ipaddress.IPv4Address(raw[1:5])), int.from_bytes(raw[6:8], "big"))
    if len(raw) >= _IP6_BYTES and raw[0] == _IP6 and raw[17] == _TCP and raw[_IP6_BYTES:] in tails:
        return SocketAddress(str(ipaddress.IPv6Address(raw[1:17])), int.from_bytes(raw[18:20], "big"))
    return None


def decode_all(raws: Iterable[bytes], peer: str, most: int = 16) -> tuple[SocketAddress, ...]:
    """The first `most` different socket addresses among the first binary multiaddrs of `peer`, four times as many."""
    tails = (b"", _p2p(peer))
    found: dict[SocketAddress, None] = {}
    for raw in itertools.islice(raws, 4 * most):
        address = _decode(raw, tails)
        if address is not None and address.port:
            found.setdefault(address)
            if len(found) == most:
                break
    return tuple(found)


def is_public(address: SocketAddress) -> bool:
    """True if packets from anywhere may reach the address: not private, loopback, link-local or multicast.

    Documentation networks count as public: a laboratory uses them as its Internet.
    """
    ip = ipaddress.ip_address(address.ip)
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback or ip.is_link_local or ip.is_reserved:
        return False
    return not any(ip in network for network in _PRIVATE if network.version == ip.version)


_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
# Networks of which a machine may be a member without being reached from outside.
_LOCAL = (*_PRIVATE[1:], *map(ipaddress.ip_network, ("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10")))


MAX_TARGETS = 8


def reachable(theirs: Iterable[SocketAddress], leg: Leg, most: int = MAX_TARGETS) -> tuple[SocketAddress, ...]:
    """The first `most` of the remote's addresses that are worth a dial.

    Public addresses are. Private ones are only if this side has a private network in common with the relay, by its own
    socket: what a relay or the remote claims must not make it connect to machines of its own LAN.
    """
    here = [] if is_public(leg.relay) else [_local_network(leg.relay), _local_network(leg.local)]
    networks = [network for network in here if network is not None]

    def fits(address: SocketAddress) -> bool:
        ip = ipaddress.ip_address(address.ip)
        return is_public(address) or any(ip in network for network in networks)

    return tuple(itertools.islice(filter(fits, theirs), most))


def _local_network(address: SocketAddress) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    ip = ipaddress.ip_address(address.ip)
    return next((network for network in _LOCAL if ip in network), None)
