"""The facts of the doctor: the state of each host, and the connections tried between hosts. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kaspa_node.evidence.endpoints import Endpoint
from kaspa_node.evidence.journal_lines import Line
from kaspa_node.settings import Settings

RELAY, PEER = "relay", "peer"
OPEN_SESSIONS = ("ready", "carried")
"""The states of a session that works: of the embedded backend, and of an external one."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service, from its manager.

    state: systemd's ActiveState (`active`, `failed`, `inactive`, `activating`, …), `not-found`, or `unknown` if
    systemd does not answer; of a plain process `active` or `inactive`. exit_status: of its last end, None if it never
    ended. restarts: automatic ones since the last start by hand. stopped: a signal has stopped the process.
    last: its last line that is a warning, an error or no milestone, "" if there is none. pid: 0 if there is no process.
    """

    name: str
    state: str
    exit_status: int | None = None
    restarts: int = 0
    stopped: bool = False
    last: str = ""
    pid: int = 0

    @property
    def running(self) -> bool:
        """Whether there is a process that is not about to end."""
        return self.state == "active"


@dataclass(frozen=True, slots=True)
class RelayLink:
    """A relay as a peer reports it: the reservation there, and the mapping of the peer's listening port."""

    peer_id: str
    addr: str
    state: str
    reason: str | None
    observed: Endpoint | None


@dataclass(frozen=True, slots=True)
class RemoteState:
    """A remote as its dialer reports it; state: waiting, dialing, punching, relayed, direct or backoff."""

    name: str
    peer_id: str
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """A Kaspa session of a peer. state: `handshake` or `ready`, `carried` for an external backend's.

    since: unix time by the peer's clock, None if the peer does not say it.
    """

    peer_id: str
    path: str
    state: str
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """An external backend. state: unknown, up or refusing, by the result of the last connection."""

    address: str
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """The status of the running node; the fields of the other role are empty. reserved: peer ids."""

    peer_id: str
    network: str = ""
    relays: tuple[RelayLink, ...] = ()
    remotes: tuple[RemoteState, ...] = ()
    sessions: tuple[Session, ...] = ()
    backend: Backend | None = None
    reserved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Firewall:
    """What the host's filters do to connections to the node's port.

    on: whether ufw or firewalld filters. shut, partly: the filter and its rule that refuse everybody, or let only some
    connections in; "" if none does. others: whether that filter is another one than ufw.
    family: the IP version, 4 or 6, in which it does so, if strangers come by the other one too and get in; else 0.
    replaced, remedy: what throws ufw's rules away at boot or at a reload, and how it is stopped; "" if nothing does.
    """

    on: bool
    shut: str = ""
    partly: str = ""
    others: bool = False
    family: int = 0
    replaced: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """One host of the inventory. An unreachable host has only the values of the inventory.

    port: the node's, by the inventory; announced: a relay's address, `203.0.113.10:4011`, by the inventory.
    clock_ahead: seconds ahead of the controller's clock, 0 if the difference is too small to measure.
    key_id: the peer id of the key file; recorded_id: the one that deploy recorded there.
    remembered_id: the one that the controller remembers, if the host is unreachable.
    silence: why there is no status. settings: those of the node's file; wrong: why they can't be used.
    lines: since the service's last start, oldest first; or the last ones if it does not run.
    """

    name: str
    role: str
    port: int
    dials: tuple[str, ...] = ()
    announced: str = ""
    unreachable: str | None = None
    clock_ahead: float = 0.0
    service: Service | None = None
    key_id: str | None = None
    recorded_id: str | None = None
    remembered_id: str | None = None
    status: Status | None = None
    silence: str | None = None
    settings: Settings | None = None
    wrong: str | None = None
    firewall: Firewall | None = None
    addresses: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def peer_id(self) -> str | None:
        """Its peer id: the running node's, otherwise that of its key."""
        return self.status.peer_id if self.status is not None else self.key_id or self.recorded_id

    @property
    def network(self) -> str:
        """Its Kaspa network, "" if it is not known."""
        if self.status is not None and self.status.network:
            return self.status.network
        return self.settings.network if self.settings is not None else ""


OPEN, REFUSED, TIMEOUT = "open", "refused", "timeout"


@dataclass(frozen=True, slots=True)
class Reach:
    """A TCP connection that was tried from a host. outcome: OPEN, REFUSED, TIMEOUT, or the system's message."""

    origin: str
    address: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """The address from which a destination saw a connection of a host's listening port."""

    origin: str
    destination: str
    seen: Endpoint


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts. mapped: from the doctor's own connections, in addition to the relays' reports."""

    hosts: Mapping[str, Host]
    reached: tuple[Reach, ...] = ()
    mapped: tuple[Mapped, ...] = field(default=())

    def outcome(self, origin: str, address: str) -> str | None:
        """The outcome of that connection, None if it was not tried."""
        return next((r.outcome for r in self.reached if (r.origin, r.address) == (origin, address)), None)

    def named(self, peer_id: str) -> Host | None:
        """The host that has this id."""
        return next((host for host in self.hosts.values() if host.peer_id == peer_id), None)

    def formerly(self, peer_id: str) -> Host | None:
        """The host that had this id when it was deployed, but has another one now."""
        return next(
            (h for h in self.hosts.values() if h.recorded_id == peer_id and h.peer_id not in (None, peer_id)), None
        )

    @property
    def relays(self) -> tuple[Host, ...]:
        """All relays of the inventory."""
        return tuple(host for host in self.hosts.values() if host.role == RELAY)

    @property
    def peers(self) -> tuple[Host, ...]:
        """All peers of the inventory."""
        return tuple(host for host in self.hosts.values() if host.role == PEER)
