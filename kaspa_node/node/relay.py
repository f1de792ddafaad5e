"""The relay program: a public host that joins peers which can't reach each other."""

from __future__ import annotations

import os
import time
from typing import Any

import trio

from kaspa_node import __version__, milestones
from kaspa_node.control.server import serve_control
from kaspa_node.errors import RequestFailed, shown
from kaspa_node.identity import Identity
from kaspa_node.journal import Journal
from kaspa_node.milestones import RELAY
from kaspa_node.node.common import Answer, announce_start, open_host, run_until_stopped, unix_time
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.relay.ledger import Ledger, RelayLimits
from kaspa_node.p2p.relay.service import RelayService
from kaspa_node.settings import Settings


async def run_relay(settings: Settings, identity: Identity, journal: Journal) -> None:
    """Run a relay until SIGTERM. Raises KaspaNodeError where it can't start."""
    host = await open_host(settings, identity)
    limits = RelayLimits(
        max_reservations=settings.max_reservations,
        reservation_ttl=settings.reservation_ttl,
        max_circuits=settings.max_circuits,
        max_circuits_per_peer=settings.max_circuits_per_peer,
        circuit_duration=settings.circuit_duration,
        circuit_bytes=settings.circuit_bytes,
    )
    service = RelayService(host, Ledger(limits), settings.allow.permits, journal)
    since = time.time()

    async def answer(request: dict[str, Any]) -> Answer:
        if request.get("do") != "status":
            raise RequestFailed(f"a relay does not know how to {shown(request.get('do'))}; it answers `status`")
        return {"status": relay_status(host, service, since)}

    async def work(nursery: trio.Nursery) -> None:
        if settings.allow.any:
            journal.record(milestones.NODE_OPEN, what="reservations and circuits")
        nursery.start_soon(host.run)
        await host.running.wait()
        nursery.start_soon(service.run)
        await nursery.start(
            lambda task_status: serve_control(
                settings.control, answer, group=settings.control_group, task_status=task_status
            )
        )
        announce_start(host, "relay", journal)

    async def stop() -> None:
        host.close("the relay is stopping")
        await trio.lowlevel.checkpoint()

    await run_until_stopped(journal, work, stop)


def relay_status(host: Host, service: RelayService, since: float) -> dict[str, Any]:
    """What `kaspa-node status` shows of a relay."""
    ledger = service.ledger
    return {
        "role": RELAY,
        "peer_id": host.peer_id,
        "version": __version__,
        "pid": os.getpid(),
        "since": since,
        "listen": [address.multiaddr() for address in host.listening],
        "reservations": [
            {"peer_id": r.peer, "observed": r.observed, "expires": unix_time(r.expires)}
            for r in ledger.reservations.values()
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
        "counters": {"refused": service.refusals.count, "denied": service.denied},
    }
