"""The peer program: reservations, remotes, hole punches, and what speaks Kaspa."""

from __future__ import annotations

import time
from typing import Any

import trio

from kaspa_node import networks
from kaspa_node.control.server import serve_control
from kaspa_node.errors import RequestFailed, shown
from kaspa_node.identity import Identity
from kaspa_node.journal import Journal
from kaspa_node.kaspa.config import KaspaConfig
from kaspa_node.node.access import Access
from kaspa_node.node.backends.base import Backend
from kaspa_node.node.backends.embedded import EmbeddedBackend
from kaspa_node.node.backends.external import ExternalBackend
from kaspa_node.node.common import Answer, announce_start, announced, dialable, open_host, run_until_stopped
from kaspa_node.node.links import RelayLinks
from kaspa_node.node.reload import Commit, Load, Reloader
from kaspa_node.node.remotes import Remotes
from kaspa_node.node.requests import ExerciseRequest, SessionRequest
from kaspa_node.node.status import PeerParts, peer_status
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.failed_upgrades import FailedUpgrades
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.p2p.punch.vantage import Vantage
from kaspa_node.p2p.relay.circuit import CircuitListener
from kaspa_node.settings import Settings
from kaspa_node.settings.model import EXTERNAL


async def run_peer(settings: Settings, identity: Identity, journal: Journal, load: Load) -> None:
    """Run a peer until SIGTERM. load: reads the settings anew. Raises KaspaNodeError if it can't start."""
    addresses = await dialable(settings)
    peer = Peer(settings, open_host(settings, identity, journal), addresses, journal, load)
    await run_until_stopped(journal, peer.start, peer.stop)


class Peer:
    """A peer's parts, put together. dialable: its announced addresses."""

    def __init__(
        self, settings: Settings, host: Host, dialable: list[SocketAddress], journal: Journal, load: Load
    ) -> None:
        self.host = host
        self.since = time.time()
        self._journal = journal
        self._dialable = dialable
        self._nursery: trio.Nursery | None = None
        self.reloader = Reloader(settings, host.peer_id, load, self._prepare, journal)
        self.links = RelayLinks(host, journal)
        self.access = Access(host, self.links.known, journal)
        self.circuits = CircuitListener(host, self.links.configured, self.access.may_connect, journal)
        self.failed_upgrades = FailedUpgrades(journal)
        host.listener.failed.append(self.failed_upgrades)
        self.puncher = Puncher(host, self._vantage, journal)
        self.backend = self._make_backend(settings)
        self.remotes = Remotes(host, self.links, self.puncher, self.backend, journal)
        self._apply(settings)

    def _make_backend(self, settings: Settings) -> Backend:
        may_open = self.access.may_open
        if settings.backend == EXTERNAL:
            return ExternalBackend(self.host, settings.backend_address, may_open, lambda: self.remotes, self._journal)
        config = KaspaConfig(
            network=networks.named(settings.network),
            protocol_version=settings.protocol_version,
            minimum_protocol_version=settings.minimum_protocol_version,
            user_agent=settings.user_agent,
            ping_interval=settings.ping_interval,
        )
        return EmbeddedBackend(self.host, config, may_open, settings.control.parent, self._journal)

    def _vantage(self) -> Vantage:
        return Vantage.best(self.links.mappings(), self._dialable, self.host.listener.addresses)

    # Running

    async def start(self, nursery: trio.Nursery) -> None:
        """Start every part. Raises KaspaNodeError if one can't start."""
        settings = self.reloader.settings
        self._nursery = nursery
        nursery.start_soon(self.host.run)
        await self.host.running.wait()
        nursery.start_soon(self.puncher.run)
        await nursery.start(self.reloader.on_hangup)
        await nursery.start(
            lambda task_status: serve_control(
                settings.control, self._answer, group=settings.control_group, task_status=task_status
            )
        )
        await self.backend.start(nursery)
        self.backend.prepare(settings)()
        announce_start(self.host, "client local" if settings.remotes else "server", self._journal)
        self.links.start(nursery)
        self.remotes.start(nursery)

    async def stop(self) -> None:
        """End the sessions with a reason for the remotes, then the connections."""
        self.remotes.stop()
        await self.backend.stop()
        self.host.close("this peer is stopping")
        await trio.lowlevel.checkpoint()

    # Settings

    async def _prepare(self, settings: Settings) -> Commit:
        """Prepare for other settings; returns a function that applies them. Raises ListenError."""
        addresses = await dialable(settings)
        switch_backend = self.backend.prepare(settings)

        def commit() -> None:
            self._dialable = addresses
            switch_backend()
            self._apply(settings)
            if self._nursery is not None:
                self._nursery.start_soon(self.access.end_unwanted, self.backend)

        return commit

    def _apply(self, settings: Settings) -> None:
        self.host.announced = announced(settings)
        self.access.apply(settings)
        self.links.apply(settings)
        self.remotes.apply(settings)

    # Control

    async def _answer(self, request: dict[str, Any]) -> Answer:
        what = request.get("do")
        if what == "status":
            return {"status": peer_status(self._parts())}
        if what == "session":
            wanted = SessionRequest.parse(request)
            return {"session": await self.remotes.named(wanted.remote).fresh(wanted)}
        if what == "exercise":
            return {"exercise": await self.backend.exercise(ExerciseRequest.parse(request))}
        if what == "reload":
            return {"reload": await self.reloader.reload()}
        known = "`status`, `session`, `exercise`, `reload`"
        raise RequestFailed(f"a peer does not know how to {shown(what)}; it answers {known}")

    def _parts(self) -> PeerParts:
        return PeerParts(
            network=self.reloader.settings.network,
            since=self.since,
            host=self.host,
            links=self.links.all(),
            remotes=self.remotes.all(),
            circuits=self.circuits,
            backend=self.backend,
            puncher=self.puncher,
            failed_upgrades=self.failed_upgrades,
        )
