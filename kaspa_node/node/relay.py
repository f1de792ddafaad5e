"""The relay program: a public host that joins peers which can't reach each other."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

import trio

from kaspa_node import __version__, milestones
from kaspa_node.control.server import serve_control
from kaspa_node.errors import RequestFailed, shown
from kaspa_node.identity import Identity
from kaspa_node.journal import Journal
from kaspa_node.milestones import RELAY
from kaspa_node.node.common import (
    NO_LONGER_ALLOWED,
    Answer,
    announce_start,
    announced,
    open_host,
    run_until_stopped,
    unix_time,
    usage,
)
from kaspa_node.node.reload import Commit, Load, Reloader
from kaspa_node.p2p.channel.connection import DIRECT
from kaspa_node.p2p.failed_upgrades import FailedUpgrades
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.relay.ledger import Ledger, RelayLimits
from kaspa_node.p2p.relay.service import RelayService
from kaspa_node.settings import AllowList, Settings


async def run_relay(settings: Settings, identity: Identity, journal: Journal, load: Load) -> None:
    """Run a relay until SIGTERM. load: reads the settings anew. Raises KaspaNodeError if it can't start."""
    relay = Relay(settings, open_host(settings, identity, journal), journal, load)
    await run_until_stopped(journal, relay.start, relay.stop)


class Relay:
    """A relay's parts, put together."""

    def __init__(self, settings: Settings, host: Host, journal: Journal, load: Load) -> None:
        self.host = host
        self.since = time.time()
        self._journal = journal
        self._allow = AllowList()
        self.reloader = Reloader(settings, host.peer_id, load, self._prepare, journal)
        self.service = RelayService(host, Ledger(limits(settings)), self._permits, journal)
        self.failed_upgrades = FailedUpgrades(journal)
        host.listener.failed.append(self.failed_upgrades)
        self._apply(settings)

    def _permits(self, peer: str) -> bool:
        return self._allow.permits(peer)

    async def start(self, nursery: trio.Nursery) -> None:
        """Start every part. Raises KaspaNodeError if one can't start."""
        settings = self.reloader.settings
        nursery.start_soon(self.host.run)
        await self.host.running.wait()
        nursery.start_soon(self.service.run)
        await nursery.start(self.reloader.on_hangup)
        await nursery.start(
            lambda task_status: serve_control(
                settings.control, self._answer, group=settings.control_group, task_status=task_status
            )
        )
        announce_start(self.host, "relay", self._journal)

    async def stop(self) -> None:
        """End the connections."""
        self.host.close("the relay is stopping")
        await trio.lowlevel.checkpoint()

    # Settings

    async def _prepare(self, settings: Settings) -> Commit:
        """Prepare for other settings; returns a function that applies them."""
        return partial(self._apply, settings)

    def _apply(self, settings: Settings) -> None:
        """A peer that is no longer allowed loses its connection, and with it its reservation and circuits."""
        if settings.allow.any and not self._allow.any:
            self._journal.record(milestones.NODE_OPEN, what="reservations and circuits")
        self._allow = settings.allow
        self.host.announced = announced(settings)
        self.service.ledger.limits = limits(settings)
        for connection in self.host.connections.all():
            if not self._permits(connection.remote):
                connection.close(NO_LONGER_ALLOWED)

    # Control

    async def _answer(self, request: dict[str, Any]) -> Answer:
        what = request.get("do")
        if what == "status":
            return {"status": relay_status(self.host, self.service, self.failed_upgrades, self.since)}
        if what == "reload":
            return {"reload": await self.reloader.reload()}
        raise RequestFailed(f"a relay does not know how to {shown(what)}; it answers `status`, `reload`")


def limits(settings: Settings) -> RelayLimits:
    """The limits of the relay."""
    return RelayLimits(
        max_reservations=settings.max_reservations,
        reservation_ttl=settings.reservation_ttl,
        max_circuits=settings.max_circuits,
        max_circuits_per_peer=settings.max_circuits_per_peer,
        circuit_duration=settings.circuit_duration,
        circuit_bytes=settings.circuit_bytes,
    )


def relay_status(host: Host, service: RelayService, failed: FailedUpgrades, since: float) -> dict[str, Any]:
    """What `kaspa-node status` shows of a relay."""
    ledger = service.ledger
    return {
        "role": RELAY,
        "peer_id": host.peer_id,
        "version": __version__,
        "pid": os.getpid(),
        "since": since,
        "listen": [address.multiaddr() for address in host.listener.addresses],
        "reservations": [
            {"peer_id": r.peer, "observed": r.observed, "expires": unix_time(r.expires)}
            for r in ledger.reservations.values()
        ],
        "connections": [
            {"peer_id": c.remote, "observed": c.route.remote} for c in host.connections.all() if c.route.path == DIRECT
        ],
        "circuits": [
            {
                "circuit": c.id,
                "src": c.src,
                "dst": c.dst,
                "since": unix_time(c.since),
                "bytes_forward": c.bytes_forward,
                "bytes_backward": c.bytes_backward,
            }
            for c in ledger.circuits.values()
        ],
        "pairs": [
            {
                "src": src,
                "dst": dst,
                "circuits": totals.circuits,
                "bytes_forward": totals.bytes_forward,
                "bytes_backward": totals.bytes_backward,
            }
            for (src, dst), totals in ledger.pairs.items()
        ],
        "failed_upgrades": dict(failed.counts),
        "counters": {
            "refused": service.refusals.count,
            "denied": service.denied,
            "failed_upgrades": failed.total,
            **usage(),
        },
    }
