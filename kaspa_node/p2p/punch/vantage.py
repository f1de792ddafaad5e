"""The local port of a hole punch, and the addresses that the remote dials to reach it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kaspa_node.p2p.addresses import Mapping, SocketAddress


@dataclass(frozen=True, slots=True)
class Vantage:
    """addresses: for the remote to dial, best first. port: to dial from, None for that on which this host listens."""

    addresses: list[SocketAddress]
    port: int | None = None

    @classmethod
    def of(cls, mapping: Mapping) -> Vantage:
        """That of one port, be it listened on or not."""
        return cls([mapping.seen_at], mapping.port)

    @classmethod
    def best(
        cls, mappings: Sequence[Mapping], announced: Sequence[SocketAddress], listening: Sequence[SocketAddress]
    ) -> Vantage:
        """The listening port: its mappings, its announced addresses, and its own number in case the NAT keeps it.

        mappings: what relays see. For up to a minute after a restart the relay may see a different port, because the
        kernel still holds the old connections in TIME_WAIT. In that case this is the mapping of that port.
        """
        ports = {address.port for address in listening}
        observed = [mapping.seen_at for mapping in mappings if mapping.port in ports]
        if mappings and not observed and not announced:
            return cls.of(mappings[0])
        guesses = [SocketAddress(address.ip, listening[0].port) for address in observed]
        return cls(list(dict.fromkeys([*observed, *announced, *guesses])))
