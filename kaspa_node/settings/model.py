"""The settings: each defined once, with its kind, its programs, its variables and its meaning.

The loader, the error lines and the table in docs/configuration.md all work from this definition.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaspa_node import __version__, networks
from kaspa_node.constants import PATH_POLICIES, PEER_PORT, PREFER_DIRECT, RELAY_PORT
from kaspa_node.control import protocol
from kaspa_node.errors import ConfigError
from kaspa_node.milestones import PEER, RELAY
from kaspa_node.settings import kinds
from kaspa_node.settings.kinds import Kind
from kaspa_node.settings.values import AllowList, LocalAddress, RelayAddress, Remote, TcpAddress

ROLES = (RELAY, PEER)
NETWORKS = tuple(network.name for network in networks.ALL)
EMBEDDED, EXTERNAL = BACKENDS = ("embedded", "external")
LOG_LEVELS = ("debug", "info", "warning", "error")
DEFAULT_LISTEN = {RELAY: f"/ip4/0.0.0.0/tcp/{RELAY_PORT}", PEER: f"/ip4/0.0.0.0/tcp/{PEER_PORT}"}

ENV_PREFIX = "KASPA_NODE_"

_UINT32, _INT63 = 2**32 - 1, 2**63 - 1
_BOTH, _RELAY, _PEER = (RELAY, PEER), (RELAY,), (PEER,)


@dataclass(frozen=True, slots=True)
class Definition:
    """One setting: its key in TOML, the programs that have it, its kind and meaning.

    seed: the variables of the first proof of concept for it.
    live: whether a running node applies a new value without ending a session that it still allows.
    """

    key: str
    roles: tuple[str, ...]
    kind: Kind
    meaning: str
    seed: tuple[str, ...]
    live: bool
    default: Any

    @property
    def variable(self) -> str:
        """The environment variable that overrides the file."""
        return ENV_PREFIX + self.key.upper()


def _setting(roles: tuple[str, ...], kind: Kind, default: Any, meaning: str, *seed: str, live: bool = False) -> Any:
    metadata = {"roles": roles, "kind": kind, "meaning": meaning, "seed": seed, "live": live}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one relay or peer; immutable, complete, checked.

    role is `relay` or `peer`; a program ignores the settings of the other. Made by `load_settings`.
    """

    role: str

    listen: tuple[TcpAddress, ...] = _setting(
        _BOTH,
        kinds.listen_addresses(),
        (),
        "Addresses to listen on. A peer also dials from this port, because a hole punch needs a listening port.",
        "LIBP2P_LISTEN_MULTIADDRS",
        "LIBP2P_LISTEN_MULTIADDR",
    )
    announce: tuple[TcpAddress, ...] = _setting(
        _BOTH, kinds.external_addresses(), (), "Further addresses at which others reach this node.", live=True
    )
    relays: tuple[RelayAddress, ...] = _setting(
        _PEER,
        kinds.relay_addresses(),
        (),
        "Relays to reserve on and to dial through. The relay must answer with the peer id in the address.",
        "LIBP2P_RELAY_MULTIADDRS",
        "LIBP2P_RELAY_MULTIADDR",
        live=True,
    )
    reserve: bool = _setting(
        _PEER, kinds.boolean(), True, "Keep a reservation on every relay, so that others can dial us.", live=True
    )
    remotes: tuple[Remote, ...] = _setting(
        _PEER,
        kinds.remotes(),
        (),
        "Peers to dial. Without `addrs`, a remote is dialed through every one of `relays`. `listen`, with an external "
        "backend: the local forward, where this machine's programs connect to reach the remote.",
        "LIBP2P_REMOTE_PEER_ID",
        "LIBP2P_REMOTE_MULTIADDRS",
        "LIBP2P_REMOTE_MULTIADDR",
        live=True,
    )
    allow: AllowList = _setting(
        _BOTH,
        kinds.allow_list(),
        AllowList(),
        "The allow list. On a peer: who may open Kaspa streams; on a relay: who may reserve and open circuits. "
        "Empty: nobody.",
        live=True,
    )
    backend: str = _setting(
        _PEER,
        kinds.choice(*BACKENDS),
        EMBEDDED,
        "What speaks Kaspa: this program itself, or another one such as kaspad, whose connections are forwarded.",
    )
    backend_address: LocalAddress | None = _setting(
        _PEER,
        kinds.local_address(),
        None,
        "Where the external backend listens. Incoming Kaspa streams are connected to it.",
    )
    network: str = _setting(_PEER, kinds.choice(*NETWORKS), "mainnet", "The Kaspa network.")
    path_policy: str = _setting(
        _PEER,
        kinds.choice(*PATH_POLICIES),
        PREFER_DIRECT,
        "The path of Kaspa sessions: direct, or the relay if there is no direct one; only direct; only the relay.",
        live=True,
    )
    wait_for_direct: int = _setting(
        _PEER,
        kinds.integer(0, 600, "seconds"),
        15,
        "How long a connection of a local program waits for a direct path while the remote is reached over the relay "
        "only; 15 s are enough for three attempts at a hole punch. A connection that begins on the relay stays there. "
        "With an external backend.",
        live=True,
    )
    state_dir: Path = _setting(
        _BOTH, kinds.absolute_path(), Path("/var/lib/kaspa-node"), "Holds the key file `identity.key`."
    )
    control: Path = _setting(
        _BOTH,
        kinds.socket_path(),
        Path(protocol.DEFAULT_PATH),
        "The unix socket for `kaspa-node status` and other commands.",
    )
    control_group: str = _setting(
        _BOTH, kinds.name("a group of the system"), "", "Members of this group may use the control socket too."
    )
    log_level: str = _setting(_BOTH, kinds.choice(*LOG_LEVELS), "info", "The lowest level that is logged.", live=True)

    max_reservations: int = _setting(
        _RELAY, kinds.integer(1, 65535), 128, "The highest number of reservations.", live=True
    )
    reservation_ttl: int = _setting(
        _RELAY,
        kinds.integer(1, _UINT32, "seconds"),
        3600,
        "How long a reservation lasts; peers renew at half of it, at least every half hour.",
        live=True,
    )
    max_circuits: int = _setting(_RELAY, kinds.integer(1, 65535), 64, "The highest number of circuits.", live=True)
    max_circuits_per_peer: int = _setting(
        _RELAY,
        kinds.integer(1, 65535),
        8,
        "The highest number of circuits of one peer. Two peers may have half as many with each other.",
        live=True,
    )
    circuit_duration: int = _setting(
        _RELAY, kinds.integer(0, _UINT32, "seconds", "unlimited"), 0, "How long a circuit may last.", live=True
    )
    circuit_bytes: int = _setting(
        _RELAY,
        kinds.integer(0, _INT63, "bytes", "unlimited"),
        0,
        "How much a circuit may forward in each direction.",
        live=True,
    )

    protocol_version: int = _setting(
        _PEER,
        kinds.integer(1, _UINT32),
        networks.PROTOCOL_VERSION,
        "The Kaspa protocol version to advertise; kaspad 2.1.0 demands 10 or more.",
    )
    minimum_protocol_version: int = _setting(
        _PEER,
        kinds.integer(1, _UINT32),
        networks.MINIMUM_PROTOCOL_VERSION,
        "A peer that advertises less is rejected; at most `protocol_version`.",
    )
    user_agent: str = _setting(
        _PEER, kinds.text(256), f"/kaspa-node:{__version__}/", "The name of this program in Version messages."
    )
    ping_interval: int = _setting(
        _PEER, kinds.integer(1, 86400, "seconds"), 120, "The time between two Kaspa pings on a session.", live=True
    )

    @property
    def known_relays(self) -> tuple[RelayAddress, ...]:
        """Every relay in the settings, each once: `relays`, then those of the remotes' addresses."""
        found = {relay.peer_id: relay for remote in reversed(self.remotes) for relay in reversed(remote.addrs)}
        first = {relay.peer_id: relay for relay in self.relays}
        return tuple((first | {peer_id: r for peer_id, r in found.items() if peer_id not in first}).values())

    def remote(self, name: str) -> Remote | None:
        """The remote of that name or peer id, or None."""
        return next((remote for remote in self.remotes if name in (remote.name, remote.peer_id)), None)

    def check(self, peer_id: str) -> None:
        """Check that the node does not dial itself; this needs its own peer id.

        Raises ConfigError.
        """
        for key, found in (("relays", self.relays), ("remotes", self.remotes)):
            for entry in found:
                if entry.peer_id == peer_id:
                    problem = f"is this {self.role}'s own peer id: it would dial itself"
                    raise ConfigError(key, peer_id, "this host's identity key", problem, "another host's peer id")


def definitions() -> tuple[Definition, ...]:
    """Every setting, in the order of the docs."""
    return tuple(
        Definition(key=field.name, default=field.default, **field.metadata)
        for field in dataclasses.fields(Settings)
        if field.metadata
    )
