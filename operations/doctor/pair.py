"""Two peers, the relays between them, and their path."""

from __future__ import annotations

from dataclasses import dataclass

from kaspa_node.settings.values import RelayAddress
from operations.doctor.facts import OPEN_SESSIONS, Facts, Host, RelayLink, RemoteState

DIRECT, RELAYED, NOTHING = "direct", "relayed", "nothing"


@dataclass(frozen=True, slots=True)
class Pair:
    """The dialer and the peer that it dials."""

    facts: Facts
    dialer: Host
    dialed: Host

    @property
    def peers(self) -> tuple[Host, Host]:
        """The dialed peer first, because it must be up first."""
        return self.dialed, self.dialer

    @property
    def relays(self) -> tuple[Host, ...]:
        """The relays of the inventory that one of the two uses; all relays if the settings of neither are known."""
        known = [relay for host in self.peers for address in addresses(host) if (relay := find(self.facts, address))]
        return tuple({relay.name: relay for relay in known}.values()) or self.facts.relays

    @property
    def about(self) -> frozenset[str]:
        """The names of all of them."""
        return frozenset(host.name for host in (*self.peers, *self.relays))

    def other(self, host: Host) -> Host:
        """The other one of the two."""
        return self.dialed if host is self.dialer else self.dialer

    @property
    def remote(self) -> RemoteState | None:
        """The dialed one as the dialer has it."""
        status, dialed = self.dialer.status, self.dialed
        if status is None:
            return None
        by_id = (remote for remote in status.remotes if remote.peer_id == dialed.peer_id)
        return next(by_id, next((remote for remote in status.remotes if remote.name == dialed.name), None))

    def id_of(self, host: Host) -> str | None:
        """The peer id of one of them.

        If the host itself can't be asked: the one that its dialer uses, or else that the controller remembers.
        """
        settings = self.dialer.settings if host is self.dialed else None
        remote = settings.remote(host.name) if settings is not None else None
        return host.peer_id or (remote.peer_id if remote is not None else host.remembered_id)

    def says(self, host: Host) -> str | None:
        """The path of a host to the other; None if the host does not answer."""
        status, other = host.status, self.id_of(self.other(host))
        if status is None:
            return None
        paths = {s.path for s in status.sessions if s.peer_id == other and s.state in OPEN_SESSIONS}
        # With an external backend the path exists before any program uses it.
        paths |= {remote.state for remote in status.remotes if remote.peer_id == other}
        return next((path for path in (DIRECT, RELAYED) if path in paths), NOTHING)

    @property
    def path(self) -> str:
        """DIRECT, RELAYED or NOTHING: from the dialer, or from the other peer if the dialer does not answer."""
        return self.says(self.dialer) or self.says(self.dialed) or NOTHING

    @property
    def unconfirmed(self) -> str | None:
        """The name of the peer that does not confirm the path, None if both do.

        With an external backend the dialed peer reports the path only while a program uses it. So a missing path there
        means nothing.
        """
        doubtful = (host for host in self.peers if self.says(host) != self.path)
        return next((host.name for host in doubtful if not self._knows_streams_only(host)), None)

    def _knows_streams_only(self, host: Host) -> bool:
        if host is not self.dialed or host.status is None or host.status.backend is None:
            return False
        return self.says(host) == NOTHING


def addresses(host: Host) -> tuple[RelayAddress, ...]:
    """The relays that a peer's settings name."""
    return host.settings.known_relays if host.settings is not None else ()


def place(address: RelayAddress) -> str:
    """`203.0.113.10:4011`."""
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def find(facts: Facts, address: RelayAddress) -> Host | None:
    """The relay of the inventory with that id, that address, or that former id."""
    named = facts.named(address.peer_id) or facts.formerly(address.peer_id)
    if named is not None:
        return named
    at = (relay for relay in facts.relays if relay.announced == place(address) or address.host in relay.addresses)
    return next(at, None)


def link(host: Host, relay: Host) -> RelayLink | None:
    """A relay as a peer's status has it."""
    if host.status is None:
        return None
    known = {address.peer_id for address in addresses(host)}
    ids = {relay.peer_id, relay.recorded_id}
    by_id = (each for each in host.status.relays if each.peer_id in ids)
    return next(by_id, host.status.relays[0] if len(host.status.relays) == 1 and len(known) <= 1 else None)
