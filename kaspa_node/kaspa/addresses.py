"""Addresses of Kaspa nodes: the wire form, and the list of addresses that peers sent."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.protowire.p2p_pb2 import AddressesMessage, NetAddress

SENT_LIMIT = 1000
"""Addresses in one answer to RequestAddresses (kaspad)."""

RECEIVED_LIMIT = 2500
"""Addresses in one message above which the peer is at fault (kaspad)."""

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Where a node listens. ip: never an IPv4 address in IPv6 clothes; port: 0 to 65535."""

    ip: IPAddress
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.ip.version == 6 else f"{self.ip}:{self.port}"

    @property
    def routable(self) -> bool:
        """Whether a node anywhere could reach it."""
        return self.ip.is_global and not self.ip.is_multicast and self.port > 0


def from_wire(message: NetAddress) -> NodeAddress:
    """Read a NetAddress; ProtocolError when it holds no address. The fork's additions are not looked at."""
    packed = message.ip
    if len(packed) not in (4, 16):
        raise ProtocolError(f"IP has illegal length {len(packed)}")
    if message.port > 0xFFFF:
        raise ProtocolError(f"port {message.port} is out of range")
    ip: IPAddress = ipaddress.ip_address(packed)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return NodeAddress(ip, message.port)


def to_wire(address: NodeAddress) -> NetAddress:
    """The NetAddress of it, as kaspanet writes it."""
    return NetAddress(ip=address.ip.packed, port=address.port)


def addresses_from_wire(message: AddressesMessage) -> tuple[NodeAddress, ...]:
    """Read an Addresses message; ProtocolError when there are too many or one is malformed."""
    count = len(message.addressList)
    if count > RECEIVED_LIMIT:
        raise ProtocolError(f"address count {count} exceeded {RECEIVED_LIMIT}")
    return tuple(from_wire(entry) for entry in message.addressList)


class AddressBook:
    """The routable addresses that peers sent, a bounded number; a new one replaces the oldest."""

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._known: dict[NodeAddress, None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, address: NodeAddress) -> bool:
        return address in self._known

    def add(self, addresses: Iterable[NodeAddress]) -> int:
        """Keep the routable ones; how many of them were new."""
        added = 0
        for address in addresses:
            if not address.routable or address in self._known:
                continue
            if len(self._known) >= self._capacity:
                del self._known[next(iter(self._known))]
            self._known[address] = None
            added += 1
        return added

    def sample(self, random: Random, limit: int = SENT_LIMIT) -> list[NodeAddress]:
        """At most `limit` of them, chosen evenly."""
        known = list(self._known)
        return known if len(known) <= limit else random.sample(known, limit)
