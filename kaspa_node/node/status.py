"""What `kaspa-node status` shows of a peer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kaspa_node import __version__
from kaspa_node.kaspa.peer_session import KaspaSession
from kaspa_node.kaspa.service import KaspaService
from kaspa_node.milestones import PEER
from kaspa_node.node.carriage import Carriage
from kaspa_node.node.common import unix_time
from kaspa_node.node.remote import RemoteKeeper
from kaspa_node.p2p.circuit import CircuitListener
from kaspa_node.p2p.host import Host
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
    kaspa: KaspaService
    carriage: Carriage


def peer_status(peer: PeerParts) -> dict[str, Any]:
    """The whole status, as JSON values."""
    return {
        "role": PEER,
        "peer_id": peer.host.peer_id,
        "version": __version__,
        "pid": os.getpid(),
        "since": peer.since,
        "network": peer.network,
        "listen": [address.multiaddr() for address in peer.host.listening],
        "relays": [_relay(link) for link in peer.links],
        "remotes": [{"name": k.name, "peer_id": k.peer_id, "state": k.state, "reason": k.reason} for k in peer.remotes],
        "sessions": [_session(peer.carriage, session) for session in peer.kaspa.sessions.values()],
        "counters": {"refused": peer.carriage.refusals.count + peer.circuits.refusals.count},
    }


def _relay(link: RelayLink) -> dict[str, Any]:
    keeper = link.keeper
    return {
        "peer_id": link.peer_id,
        "addr": link.address.addr,
        "state": keeper.state,
        "expires": None if keeper.expires is None else unix_time(keeper.expires),
        "observed": None if link.observed is None else str(link.observed),
        "reason": keeper.reason,
    }


def _session(carriage: Carriage, session: KaspaSession) -> dict[str, Any]:
    carrier = session.carrier
    carried = carriage.carried.get(carrier.session)
    shown: dict[str, Any] = {
        "session": carrier.session,
        "conn": carrier.session.partition(".")[0],
        "peer_id": carrier.peer,
        "direction": carrier.direction,
        "path": carrier.path,
        "address": carrier.address,
        "state": session.state,
        "since": session.since,
        "applied_protocol": session.applied_protocol,
        "user_agent": session.user_agent,
        "run": None,
        "local": None,
        "remote": None,
        "bytes_sent": 0,
        "bytes_received": 0,
    }
    if carried is not None:
        shown |= {
            "run": carried.run,
            "local": carried.connection.route.local,
            "remote": carried.connection.route.remote,
            "bytes_sent": carried.stream.bytes_sent,
            "bytes_received": carried.stream.bytes_received,
        }
    return shown
