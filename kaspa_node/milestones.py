"""The vocabulary of events, each named once.

Logging writes from it, verification matches on it, and the table in docs/milestones.md is rendered from it.
The sentences are those of the first proof of concept and of kaspad if these have one, so that existing greps still
work.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

RELAY = "relay"
PEER = "peer"


@dataclass(frozen=True, slots=True)
class Milestone:
    """One kind of event.

    name: dotted, unique; it is the value of `milestone=` in a log line.
    roles: which programs write it, of `relay` and `peer`.
    level: a level of the standard logging module.
    sentence: a str.format template; every name in it is one of `fields`.
    fields: the fields of a line of this kind, in the order in which it is written.
    """

    name: str
    roles: tuple[str, ...]
    level: int
    sentence: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


_REGISTRY: dict[str, Milestone] = {}


def _define(name: str, roles: tuple[str, ...], level: int, sentence: str, fields: str = "") -> Milestone:
    """fields: their names, separated by blanks."""
    if name in _REGISTRY:
        raise ValueError(f"milestone {name} is defined twice")
    milestone = Milestone(name, roles, level, sentence, tuple(fields.split()))
    _REGISTRY[name] = milestone
    return milestone


_INFO, _WARN, _DEBUG = logging.INFO, logging.WARNING, logging.DEBUG
_BOTH = (RELAY, PEER)

# Start and stop
NODE_STARTED = _define("node.started", _BOTH, _INFO, "libp2p {kind} peer id: {peer}", "kind peer version")
NODE_LISTENING = _define("node.listening", _BOTH, _INFO, "Swarm listening address={addr}", "addr")
NODE_STOPPING = _define("node.stopping", _BOTH, _INFO, "Stopping: {reason}", "reason")
NODE_STOPPED = _define("node.stopped", _BOTH, _INFO, "Stopped after {seconds} s", "seconds")
NODE_OPEN = _define(
    "node.open_to_any", _BOTH, _WARN, "The allow list is `any`: {what} are accepted from every peer id", "what"
)
NODE_RELOADED = _define(
    "node.reloaded", _BOTH, _INFO, "The configuration was read again; applied: {applied}", "applied"
)
NODE_RELOAD_REFUSED = _define(
    "node.reload_refused",
    _BOTH,
    _WARN,
    "The configuration was read again, and nothing of it applied: {reason}",
    "reason",
)
PEER_REFUSED = _define(
    "peer.refused", _BOTH, _WARN, "Refused {what} from peer {peer}: not on the allow list", "what peer count"
)
UPGRADE_FAILED = _define(
    "upgrade.failed", _BOTH, _INFO, "A connection from {addr} was not set up: {reason}", "addr reason code count"
)

# Relay
RELAY_RESERVED = _define(
    "relay.reservation.accepted",
    (RELAY,),
    _INFO,
    "ReservationReqAccepted {{ src_peer_id: {peer}, renewed: {renewed} }}",
    "peer renewed observed ttl",
)
RELAY_RESERVATION_DENIED = _define(
    "relay.reservation.denied",
    (RELAY,),
    _WARN,
    "ReservationReqDenied {{ src_peer_id: {peer}, status: {status} }}",
    "peer status",
)
RELAY_RESERVATION_ENDED = _define(
    "relay.reservation.ended", (RELAY,), _INFO, "ReservationClosed {{ src_peer_id: {peer} }}: {reason}", "peer reason"
)
RELAY_CIRCUIT_OPENED = _define(
    "relay.circuit.opened",
    (RELAY,),
    _INFO,
    "CircuitReqAccepted {{ src_peer_id: {src}, dst_peer_id: {dst} }}",
    "circuit src dst",
)
RELAY_CIRCUIT_DENIED = _define(
    "relay.circuit.denied",
    (RELAY,),
    _WARN,
    "CircuitReqDenied {{ src_peer_id: {src}, dst_peer_id: {dst}, status: {status} }}",
    "src dst status",
)
RELAY_CIRCUIT_CLOSED = _define(
    "relay.circuit.closed",
    (RELAY,),
    _INFO,
    "CircuitClosed {{ src_peer_id: {src}, dst_peer_id: {dst} }}: {reason}",
    "circuit src dst bytes_forward bytes_backward seconds reason",
)

# Reservation, seen by the peer that asks for it
RESERVATION_REQUESTED = _define(
    "reservation.requested", (PEER,), _INFO, "Relay reservation requested via {addr}", "addr relay"
)
RESERVATION_ACCEPTED = _define(
    "reservation.accepted",
    (PEER,),
    _INFO,
    "ReservationReqAccepted {{ relay_peer_id: {relay}, renewal: {renewal} }}",
    "relay renewal ttl",
)
RESERVATION_PUBLISHED = _define("reservation.published", (PEER,), _INFO, "Swarm listening address={addr}", "addr relay")
RESERVATION_FAILED = _define(
    "reservation.failed",
    (PEER,),
    _WARN,
    "Relay reservation with {relay} failed: {reason}; next try in {delay} s",
    "relay reason delay",
)
RESERVATION_LOST = _define(
    "reservation.lost", (PEER,), _WARN, "Relay reservation with {relay} lost: {reason}", "relay reason"
)
RESERVATION_GIVEN_UP = _define(
    "reservation.given_up", (PEER,), _INFO, "Relay reservation with {relay} given up: {reason}", "relay reason"
)
MAPPING_OBSERVED = _define(
    "mapping.observed", (PEER,), _INFO, "Observed address {addr} (reported by {relay})", "addr relay"
)

# Strangers, and those who ask for too much
CONNECTION_REFUSED = _define(
    "connection.refused",
    _BOTH,
    _INFO,
    "Connection of {peer}, which is not served here, closed: {reason}",
    "peer remote reason count",
)
WORK_REFUSED = _define(
    "work.refused", _BOTH, _WARN, "More work than its share: {what} of {who} ended", "what who count"
)

# Dial and path
DIAL_STARTED = _define("dial.started", (PEER,), _INFO, "Attempting libp2p dial via {addr}", "addr peer run")
DIAL_WAITING = _define(
    "dial.waiting",
    (PEER,),
    _WARN,
    "Relay has no reservation for destination {peer}; next try in {delay} s",
    "peer relay delay run",
)
DIAL_FAILED = _define("dial.failed", (PEER,), _WARN, "Dial of {peer} failed: {reason}", "peer reason run")
CIRCUIT_OUTBOUND = _define(
    "circuit.outbound",
    (PEER,),
    _INFO,
    "OutboundCircuitEstablished {{ relay_peer_id: {relay} }}",
    "relay peer conn seconds run",
)
CIRCUIT_INBOUND = _define(
    "circuit.inbound", (PEER,), _INFO, "InboundCircuitEstablished {{ src_peer_id: {peer} }}", "peer relay conn"
)
CONNECTION_DIRECT = _define(
    "connection.direct",
    (PEER,),
    _INFO,
    "new_established_connection; remote_addr={remote}",
    "peer conn local remote direction",
)
CONNECTION_CLOSED = _define(
    "connection.closed", (PEER,), _INFO, "Connection with {peer} closed: {reason}", "peer conn path reason"
)
PUNCH_STARTED = _define(
    "punch.started",
    (PEER,),
    _INFO,
    "Attempting to hole-punch as {role} target={peer} addresses=[{addrs}]",
    "role peer addrs attempt relayed",
)
PUNCH_FAILED = _define(
    "punch.failed",
    (PEER,),
    _WARN,
    "DCUtR behaviour event result: Err({reason})",
    "reason code peer attempt relayed seconds",
)
PUNCH_SUCCEEDED = _define(
    "punch.succeeded",
    (PEER,),
    _INFO,
    "DCUtR behaviour event result: Ok({conn})",
    "conn peer attempt relayed local remote seconds relay_rtt segment",
)
PATH_FALLBACK = _define(
    "path.fallback", (PEER,), _WARN, "Falling back to the relay for {peer}: {reason}", "peer reason run"
)

# The Kaspa stream
STREAM_OPENED = _define(
    "stream.opened",
    (PEER,),
    _INFO,
    "Stream opened successfully peer={peer}",
    "peer session conn path protocol run caller",
)
STREAM_ACCEPTED = _define(
    "stream.accepted",
    (PEER,),
    _INFO,
    "P2P, accepting incoming libp2p stream: peer={peer}",
    "peer session conn path protocol caller",
)
STREAM_CLOSED = _define(
    "stream.closed", (PEER,), _INFO, "Stream of peer {peer} closed: {reason}", "peer session path reason sent received"
)

# The external backend and the programs that it and others are
PATH_READY = _define("path.ready", (PEER,), _INFO, "Path to {peer} is ready: {path}", "peer conn path run")
REMOTE_LISTENING = _define(
    "remote.listening", (PEER,), _INFO, "Connections to {addr} are forwarded to {name}", "addr name peer"
)
REMOTE_UNREACHED = _define(
    "remote.unreached", (PEER,), _WARN, "A connection to {name} was refused: {reason}", "name peer reason"
)
BACKEND_CONNECTED = _define("backend.connected", (PEER,), _INFO, "The backend at {addr} answers", "addr")
BACKEND_REFUSED = _define(
    "backend.refused",
    (PEER,),
    _WARN,
    "The backend at {addr} can't be reached: {reason}; each incoming stream tries it again",
    "addr reason",
)

# The Kaspa handshake
ADDRESS_SYNTHESIZED = _define(
    "peer.address",
    (PEER,),
    _INFO,
    "P2P, synthesized remote address for libp2p {direction}: {addr}",
    "direction addr peer session",
)
VERSION_SENT = _define("kaspa.version.sent", (PEER,), _INFO, "sending version message", "session peer protocol network")
VERSION_RECEIVED = _define(
    "kaspa.version.received",
    (PEER,),
    _INFO,
    "accepted version message",
    "session peer protocol applied network user_agent",
)
VERACK_RECEIVED = _define(
    "kaspa.verack.received", (PEER,), _INFO, "accepted verack_message: VerackMessage", "session peer"
)
READY_RECEIVED = _define("kaspa.ready.received", (PEER,), _INFO, "accepted ready message: ReadyMessage", "session peer")
PEER_CONNECTED = _define(
    "peer.connected",
    (PEER,),
    _INFO,
    "P2P Connected to {direction} peer {addr} ({bound}: {count})",
    "direction addr bound count path peer session seconds",
)
REJECT_SENT = _define(
    "kaspa.reject.sent",
    (PEER,),
    _WARN,
    "P2P, sent reject message: {reason} to peer: {addr}",
    "reason addr peer session",
)
REJECT_RECEIVED = _define(
    "kaspa.reject.received",
    (PEER,),
    _WARN,
    "P2P, got reject message: {reason} from peer: {addr}",
    "reason addr peer session",
)
SESSION_REFUSED = _define(
    "kaspa.session.refused",
    (PEER,),
    _WARN,
    "P2P, refused an inbound session of peer {addr}: {reason}",
    "reason addr peer count",
)
HANDSHAKE_FAILED = _define(
    "kaspa.handshake.failed",
    (PEER,),
    _WARN,
    "P2P, handshake failed for {bound} peer {addr}: {reason}",
    "bound addr reason peer session",
)
PEER_DISCONNECTED = _define(
    "peer.disconnected",
    (PEER,),
    _INFO,
    "P2P, {direction} stream ended from peer {addr}: {reason}",
    "direction addr reason path peer session",
)
PING_ANSWERED = _define(
    "kaspa.ping",
    (PEER,),
    _DEBUG,
    "Successful ping with peer {addr} (nonce: {nonce})",
    "addr nonce peer session seconds",
)
SESSION_EXERCISED = _define(
    "session.exercised",
    (PEER,),
    _INFO,
    "Session with {peer} exercised: {pings} pings answered",
    "peer session pings run",
)

ALL: tuple[Milestone, ...] = tuple(_REGISTRY.values())


def named(name: str) -> Milestone | None:
    """The milestone of that name, or None."""
    return _REGISTRY.get(name)
