"""Which peers may connect and open Kaspa streams, by the allow list and the remotes; logs their connections."""

from __future__ import annotations

from collections.abc import Callable

from kaspa_node import milestones
from kaspa_node.journal import Journal
from kaspa_node.node.backends.base import Backend, KaspaStream
from kaspa_node.node.common import NO_LONGER_ALLOWED
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, Connection
from kaspa_node.p2p.host import Host
from kaspa_node.reasons import NO_LONGER_WANTED, Reason
from kaspa_node.settings import Settings
from kaspa_node.settings.values import AllowList

NOT_ALLOWED = "not on the allow list"


class Access:
    """Applies the current settings, and logs connections.

    is_relay: whether a peer id is a relay's. Connections of relays are not checked here.
    """

    def __init__(self, host: Host, is_relay: Callable[[str], bool], journal: Journal) -> None:
        self._host = host
        self._is_relay = is_relay
        self._journal = journal
        self._allow = AllowList()
        self._remotes: frozenset[str] = frozenset()
        host.connections.up.append(self._up)
        host.connections.down.append(self._down)

    def apply(self, settings: Settings) -> None:
        """Apply these settings from now on."""
        if settings.allow.any and not self._allow.any:
            self._journal.record(milestones.NODE_OPEN, what="Kaspa streams")
        self._allow = settings.allow
        self._remotes = frozenset(remote.peer_id for remote in settings.remotes)

    def may_open(self, peer: str) -> bool:
        """Whether `peer` may open Kaspa streams to us."""
        return self._allow.permits(peer)

    def may_connect(self, peer: str) -> bool:
        """Whether `peer` may connect. Remotes may too, because this peer dials them."""
        return self._allow.permits(peer) or peer in self._remotes

    async def end_unwanted(self, backend: Backend) -> None:
        """End what the settings no longer allow: first sessions, then connections."""
        unwanted = {
            kaspa_stream.transport.session: reason
            for kaspa_stream in backend.streams.values()
            if (reason := self._why_not(kaspa_stream))
        }
        under = {backend.streams[session].connection: reason for session, reason in unwanted.items()}
        await backend.end(unwanted)
        for connection in self._host.connections.all():
            peer = connection.remote
            if self._is_relay(peer):
                continue
            if not self.may_connect(peer):
                connection.close(NO_LONGER_ALLOWED)
            elif connection in under and not backend.uses(connection):
                connection.close(under[connection])

    def _why_not(self, kaspa_stream: KaspaStream) -> str | None:
        peer, incoming = kaspa_stream.transport.peer, kaspa_stream.transport.direction == "incoming"
        if incoming and not self.may_open(peer):
            return NO_LONGER_ALLOWED
        if not incoming and peer not in self._remotes:
            return str(Reason(NO_LONGER_WANTED))
        return None

    def _up(self, connection: Connection) -> None:
        if self._is_relay(connection.remote):
            return
        route = connection.route
        if not self.may_connect(connection.remote):
            self._host.strangers.close_later(connection, NOT_ALLOWED)
        elif route.path == DIRECT:
            self._journal.record(
                milestones.CONNECTION_DIRECT,
                peer=connection.remote,
                conn=connection.id,
                local=route.local,
                remote=route.remote,
                direction=route.direction,
            )
        elif route.direction == INCOMING:
            self._journal.record(
                milestones.CIRCUIT_INBOUND, peer=connection.remote, relay=route.relay, conn=connection.id
            )

    def _down(self, connection: Connection) -> None:
        if not self._is_relay(connection.remote) and connection not in self._host.strangers:
            self._journal.record(
                milestones.CONNECTION_CLOSED,
                peer=connection.remote,
                conn=connection.id,
                path=connection.route.path,
                reason=connection.reason,
            )
