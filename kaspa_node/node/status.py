"""What `kaspa-node status` shows of a peer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kaspa_node import __version__, reasons
from kaspa_node.milestones import PEER
from kaspa_node.node.backends.base import Backend
from kaspa_node.node.common import unix_time, usage
from kaspa_node.node.remote.keeper import RemoteKeeper
from kaspa_node.p2p.failed_upgrades import FailedUpgrades
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.p2p.relay.circuit import CircuitListener
from kaspa_node.p2p.reservation.link import RelayLink


@dataclass(frozen=True, slots=True)
class PeerParts:
    """The parts of a peer that have something to show. since: unix time of the start."""

    network: str
    since: float
    host: Host
    links: Iterable[RelayLink]
    remotes: Iterable[RemoteKeeper]
    circuits: CircuitListener
    backend: Backend
    puncher: Puncher
    failed_upgrades: FailedUpgrades


def peer_status(peer: PeerParts) -> dict[str, Any]:
    """The whole status, as JSON values."""
    return {
        "role": PEER,
        "peer_id": peer.host.peer_id,
        "version": __version__,
        "pid": os.getpid(),
        "since": peer.since,
        "network": peer.network,
        "listen": [address.multiaddr() for address in peer.host.listener.addresses],
        "relays": [relay_status(link) for link in peer.links],
        "remotes": [_remote(keeper) for keeper in peer.remotes],
        "backend": peer.backend.status(),
        "sessions": peer.backend.sessions(),
        "punches": peer.puncher.status(),
        "failed_upgrades": dict(peer.failed_upgrades.counts),
        "counters": {
            "refused": peer.backend.refused + peer.circuits.refusals.count,
            "failed_upgrades": peer.failed_upgrades.total,
            **usage(),
        },
    }


def _remote(keeper: RemoteKeeper) -> dict[str, Any]:
    remote, limit = keeper.remote, keeper.limit
    return {
        "name": remote.name,
        "peer_id": remote.peer_id,
        "state": keeper.state,
        **reasons.as_json(keeper.reason),
        "limit": None if limit is None else {"seconds": limit.seconds, "bytes": limit.bytes},
        "listen": None if remote.listen is None else str(remote.listen),
    }


def relay_status(link: RelayLink) -> dict[str, Any]:
    """A relay of a peer, as JSON values."""
    keeper = link.keeper
    return {
        "peer_id": link.peer_id,
        "addr": link.address.addr,
        "connected": None if link.live is None else link.live.route.remote,
        "state": keeper.state,
        "expires": None if keeper.expires is None else unix_time(keeper.expires),
        "observed": None if link.observed is None else str(link.observed),
        "reason": keeper.reason or (None if keeper.clock is None else keeper.clock.text),
    }
