"""The peer program: reservations, remotes, hole punches, and what speaks Kaspa."""

from __future__ import annotations

import time
from typing import Any

import trio

from kaspa_node import milestones
from kaspa_node.control.server import serve_control
from kaspa_node.errors import RequestFailed, shown
from kaspa_node.identity import Identity
from kaspa_node.journal import Journal
from kaspa_node.kaspa import networks
from kaspa_node.kaspa.config import KaspaConfig
from kaspa_node.node.carriage import Carriage
from kaspa_node.node.common import Answer, announce_start, open_host, run_until_stopped
from kaspa_node.node.embedded import EmbeddedCarriage
from kaspa_node.node.external import ExternalCarriage
from kaspa_node.node.remote import RemoteKeeper
from kaspa_node.node.requests import ExerciseRequest, SessionRequest
from kaspa_node.node.status import PeerParts, peer_status
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, Connection
from kaspa_node.p2p.dial import Dialer
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.p2p.relay.circuit import CircuitListener
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.settings import Settings
from kaspa_node.settings.model import EXTERNAL
from kaspa_node.settings.values import Remote

# The embedded peer never asks for blocks or the UTXO set; nobody has a reason to send it more than this.
MAX_MESSAGE_BYTES = 32 * 1024 * 1024


async def run_peer(settings: Settings, identity: Identity, journal: Journal) -> None:
    """Run a peer until SIGTERM. Raises KaspaNodeError where it can't start."""
    peer = Peer(settings, await open_host(settings, identity), journal)
    await run_until_stopped(journal, peer.start, peer.stop)


class Peer:
    """A peer's parts, put together."""

    def __init__(self, settings: Settings, host: Host, journal: Journal) -> None:
        self.settings = settings
        self.host = host
        self.since = time.time()
        self._journal = journal
        self.links = {
            relay.peer_id: RelayLink(
                host, relay, reserve=settings.reserve and relay in settings.relays, journal=journal
            )
            for relay in settings.known_relays
        }
        self._remote_ids = frozenset(remote.peer_id for remote in settings.remotes)
        self.circuits = CircuitListener(host, self.links.__contains__, self._permits_circuit, journal)
        self.puncher = Puncher(host, self._reachable_at, journal)
        self.carriage = self._carriage()
        self.remotes = [self._keeper(remote) for remote in settings.remotes]
        host.observers.up.append(self._connection_up)
        host.observers.down.append(self._connection_down)

    def _carriage(self) -> Carriage:
        settings = self.settings
        if settings.backend == EXTERNAL:
            return ExternalCarriage(
                self.host, settings.backend_address, settings.remotes, settings.allow, self._progress, self._journal
            )
        config = KaspaConfig(
            network=networks.named(settings.network),
            protocol_version=settings.protocol_version,
            minimum_protocol_version=settings.minimum_protocol_version,
            user_agent=settings.user_agent,
            ping_interval=settings.ping_interval,
            max_message_bytes=MAX_MESSAGE_BYTES,
        )
        return EmbeddedCarriage(self.host, config, settings.allow, settings.control.parent, self._journal)

    def _progress(self, peer: str) -> str:
        """How far the way to a remote is, in words."""
        keeper = next(keeper for keeper in self.remotes if keeper.remote.peer_id == peer)
        return keeper.state if keeper.reason is None else f"{keeper.state} ({keeper.reason})"

    def _keeper(self, remote: Remote) -> RemoteKeeper:
        relays = remote.addrs or self.settings.relays
        links = [self.links[relay.peer_id] for relay in relays]
        dialer = Dialer(self.host, remote.peer_id, links, self.puncher, self._journal)
        policy = self.settings.path_policy
        return RemoteKeeper(remote, policy, dialer, self.carriage, self.host, self._journal)

    def _permits_circuit(self, peer: str) -> bool:
        return self.settings.allow.permits(peer) or peer in self._remote_ids

    def _reachable_at(self) -> list[SocketAddress]:
        """Where this peer can be reached: what relays see of the listening port, then what it was told to announce,
        then the guess that the NAT keeps the port."""
        observed = [link.observed for link in self.links.values() if link.observed is not None]
        port = self.host.listening[0].port
        guesses = [SocketAddress(address.ip, port) for address in observed]
        return list(dict.fromkeys(observed + self.host.announced + guesses))

    def _connection_up(self, connection: Connection) -> None:
        if connection.remote in self.links:
            return
        route = connection.route
        if not self._permits_circuit(connection.remote):
            self.host.close_later(connection, "not on the allow list")
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

    def _connection_down(self, connection: Connection) -> None:
        if connection.remote not in self.links:
            self._journal.record(
                milestones.CONNECTION_CLOSED,
                peer=connection.remote,
                conn=connection.id,
                path=connection.route.path,
                reason=connection.reason,
            )

    # Running

    async def start(self, nursery: trio.Nursery) -> None:
        """Start every part. Raises KaspaNodeError where one can't."""
        if self.settings.allow.any:
            self._journal.record(milestones.NODE_OPEN, what="Kaspa streams")
        nursery.start_soon(self.host.run)
        await self.host.running.wait()
        nursery.start_soon(self.puncher.run)
        await nursery.start(
            lambda task_status: serve_control(
                self.settings.control, self._answer, group=self.settings.control_group, task_status=task_status
            )
        )
        await self.carriage.start(nursery)
        announce_start(self.host, "client local" if self.remotes else "server", self._journal)
        for link in self.links.values():
            nursery.start_soon(link.run)
        for keeper in self.remotes:
            nursery.start_soon(keeper.run)

    async def stop(self) -> None:
        """End the sessions, telling the remotes, then the connections."""
        await self.carriage.stop()
        self.host.close("this peer is stopping")
        await trio.lowlevel.checkpoint()

    # Control

    async def _answer(self, request: dict[str, Any]) -> Answer:
        what = request.get("do")
        if what == "status":
            return {"status": peer_status(self._parts())}
        if what == "session":
            return {"session": await self._fresh_session(SessionRequest.parse(request))}
        if what == "exercise":
            return {"exercise": await self.carriage.exercise(ExerciseRequest.parse(request))}
        raise RequestFailed(f"a peer does not know how to {shown(what)}; it answers `status`, `session`, `exercise`")

    def _parts(self) -> PeerParts:
        return PeerParts(
            network=self.settings.network,
            since=self.since,
            host=self.host,
            links=self.links.values(),
            remotes=self.remotes,
            circuits=self.circuits,
            carriage=self.carriage,
        )

    async def _fresh_session(self, request: SessionRequest) -> dict[str, object]:
        remote = self.settings.remote(request.remote)
        keeper = next((k for k in self.remotes if k.remote is remote), None)
        if keeper is None:
            known = ", ".join(remote.name for remote in self.settings.remotes) or "none"
            raise RequestFailed(f"no remote {shown(request.remote)} is configured here; configured: {known}")
        return await keeper.fresh(request)
