"""The small values that settings are made of: addresses, relays, remotes, the allow list.

Nothing here imports a library of libp2p; texts are checked in `addresses`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CIRCUIT = "/p2p-circuit"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A place to listen on or to be reached at.

    addr: the multiaddr, `/ip4/0.0.0.0/tcp/4012`.
    host: an IP address, or a name if addr begins with /dns, /dns4 or /dns6.
    port: 0 to 65535; 0 only for listening: then the system chooses.
    """

    addr: str
    host: str
    port: int

    @property
    def family(self) -> str:
        """`ip4`, `ip6`, `dns`, `dns4` or `dns6`."""
        return self.addr.split("/", 2)[1]

    def __str__(self) -> str:
        return self.addr


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """The address of a relay, and the peer id that must answer there.

    addr: the multiaddr with the relay's id, without /p2p-circuit: `/ip4/203.0.113.10/tcp/4011/p2p/12D3Koo…`.
    """

    addr: str
    host: str
    port: int
    peer_id: str

    @property
    def family(self) -> str:
        """`ip4`, `ip6`, `dns`, `dns4` or `dns6`."""
        return self.addr.split("/", 2)[1]

    @property
    def circuit(self) -> str:
        """The address of circuits through this relay, and of a reservation on it."""
        return self.addr + CIRCUIT

    def circuit_to(self, peer_id: str) -> str:
        """The address of that peer through this relay."""
        return f"{self.circuit}/p2p/{peer_id}"

    def __str__(self) -> str:
        return self.addr


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """An address of this machine where another program listens, or where this one listens for it.

    path: of a unix socket, or None for TCP: then host is an IP address and port is 1 to 65535.
    """

    path: Path | None = None
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Remote:
    """A peer that this one dials.

    name: as configured; the peer id if there is none.
    addrs: the relays through which it is dialed, in order of preference.
    listen: where local programs connect to reach it, or None.
    """

    name: str
    peer_id: str
    addrs: tuple[RelayAddress, ...] = ()
    listen: LocalAddress | None = None

    @property
    def circuits(self) -> tuple[str, ...]:
        """The multiaddrs to dial, `…/p2p-circuit/p2p/<peer id>`."""
        return tuple(relay.circuit_to(self.peer_id) for relay in self.addrs)


@dataclass(frozen=True, slots=True)
class AllowList:
    """The peers that are served: all (`any`), or exactly these peer ids; by default none."""

    any: bool = False
    peer_ids: frozenset[str] = frozenset()

    def permits(self, peer_id: str) -> bool:
        """Whether the peer with that id is served."""
        return self.any or peer_id in self.peer_ids

    def __str__(self) -> str:
        return "any" if self.any else ", ".join(sorted(self.peer_ids)) or "nobody"
