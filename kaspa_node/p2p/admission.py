"""How many strangers a host accepts, from which addresses, and for how long. No socket, no clock.

Anybody can connect. The number and the time of connections whose peer is not known yet, or is not served, are bounded,
and each address has a share. So a flood from one address evicts only its own connections.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Generic, TypeVar

Holder = TypeVar("Holder")


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one host. Times are in seconds.

    upgrade: for the secure channel. connect: for TCP. negotiate: for the protocol of a stream.
    stranger: for a peer that is not served to be refused.
    connections: of peers that are served; connections_each: of one peer. known: peers whose identify message is kept.
    handshakes, strangers: at a time; …_each: of one address. stranger_streams: that a stranger may have open.
    stranger_bytes: that wait here to be read from a stranger, or to be sent to it.
    """

    upgrade: float = 10.0
    connect: float = 10.0
    negotiate: float = 10.0
    stranger: float = 10.0
    connections: int = 2048
    connections_each: int = 32
    known: int = 4096
    handshakes: int = 256
    handshakes_each: int = 32
    strangers: int = 128
    strangers_each: int = 16
    stranger_streams: int = 8
    stranger_bytes: int = 128 * 1024


class Places(Generic[Holder]):
    """Places of which each address may hold some. Nobody is refused: if all are taken, the newest displaces another.

    most, each: places in all, and of one address.
    """

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        # In the order of arrival.
        self._held: dict[Holder, str] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, holder: Holder) -> bool:
        return holder in self._held

    def take(self, holder: Holder, ip: str) -> Holder | None:
        """Give `holder` a place; returns the holder that was evicted for it, if any.

        Evicts the oldest of the same address if that address has used up its share. Otherwise, if all places are taken,
        evicts the oldest of the address with the most.
        """
        address = neighbourhood(ip)
        counts: dict[str, int] = {}
        for held_by in self._held.values():
            counts[held_by] = counts.get(held_by, 0) + 1
        displaced: Holder | None = None
        if counts.get(address, 0) >= self._each:
            displaced = self._oldest(address)
        elif len(self._held) >= self._most:
            # Of those with equally many, the first to have come.
            displaced = self._oldest(max(counts, key=lambda held_by: counts[held_by]))
        if displaced is not None:
            del self._held[displaced]
        self._held[holder] = address
        return displaced

    def leave(self, holder: Holder) -> None:
        """Give the place back; does nothing if it was lost already."""
        self._held.pop(holder, None)

    def _oldest(self, address: str) -> Holder:
        return next(holder for holder, held_by in self._held.items() if held_by == address)


def neighbourhood(ip: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of which any IPv6 host has all addresses at hand."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
