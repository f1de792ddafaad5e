"""Version, Verack, Ready: who we are, who the peer is, and whether we go on (kaspad handshake.rs, flow_context.rs).

    start ── Version ──▶                    both sides at once
          ◀── Version ── answered by Verack
          ◀── Verack ──
    checks: duplicate, loopback, network, user agent, protocol version
          ── Ready ──▶
          ◀── Ready ──  established

No socket and no clock: time comes in with each call, in seconds of any monotonic clock. Each step yields its events and
may end in a ProtocolError: what it yielded before still holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.addresses import from_wire
from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.events import (
    Accepted,
    Event,
    HandshakeDone,
    ReadyReceived,
    Send,
    VerackReceived,
    VersionReceived,
    VersionSent,
)
from kaspa_node.kaspa.messages import Incoming, Unread
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from kaspa_node.kaspa.protowire.p2p_pb2 import VersionMessage

DUPLICATE_CONNECTION = "DUPLICATE_CONNECTION"
LOOPBACK_CONNECTION = "LOOPBACK_CONNECTION"
NODE_ID_BYTES = 16
USER_AGENT_LIMIT = 256
"""Bytes of a user agent (kaspad)."""

KINDS = frozenset({"Version", "Verack", "Ready"})


@dataclass(frozen=True, slots=True)
class HandshakeSettings:
    """What we say of ourselves and what we ask of the peer.

    network: name on the wire; node_id: 16 bytes; version_timeout and ready_timeout: seconds, as the fork grants peers
    that come over libp2p (kaspad itself: 4 and 8).
    protocol_version: advertised; minimum_protocol_version: the lowest that we accept (kaspa_node/networks.py).
    """

    network: str
    node_id: bytes
    user_agent: str
    protocol_version: int
    minimum_protocol_version: int
    version_timeout: float = 8.0
    ready_timeout: float = 12.0


class Handshake:
    """One side of one handshake. A violation by the peer, or time running out, raises ProtocolError.

    timestamp_ms: unix time for our Version; taken: whether a peer of that node id, over this connection's IP, already
    has a session.
    """

    def __init__(self, settings: HandshakeSettings, timestamp_ms: int, taken: Callable[[bytes], bool]) -> None:
        self._settings = settings
        self._timestamp_ms = timestamp_ms
        self._taken = taken
        self._version: VersionMessage | None = None
        self._verack = False
        self._accepted = False
        self._ready = False
        self._deadline = math.inf

    @property
    def deadline(self) -> float:
        """When `on_time` wants to be called; infinity when never."""
        return self._deadline

    def start(self, now: float) -> Iterator[Event]:
        """Our Version, at once and without waiting for the peer's."""
        settings = self._settings
        self._deadline = now + settings.version_timeout
        version = VersionMessage(
            protocolVersion=settings.protocol_version,
            timestamp=self._timestamp_ms,
            id=settings.node_id,
            userAgent=settings.user_agent,
            network=settings.network,
        )
        yield VersionSent(settings.protocol_version, settings.network)
        yield Send(KaspadMessage(version=version))

    def receive(self, message: Incoming, now: float) -> Iterator[Event]:
        """Take one message of the peer; the last event is HandshakeDone when the handshake is done by it."""
        if isinstance(message, Unread):
            raise ProtocolError(f"no flow has been registered for message type {message.kind}", tell_peer=False)
        match messages.kind(message):
            case "Version" if self._version is None:
                yield from self._on_version(message.version)
            case "Verack" if not self._verack:
                self._verack = True
                yield VerackReceived()
            case "Ready" if not self._ready:
                # A peer may have both of our messages, and be ready, before its Verack reaches us.
                self._ready = True
                yield ReadyReceived()
            case kind if kind in KINDS:
                raise ProtocolError(f"got a second {kind} message", tell_peer=False)
            case kind:
                raise ProtocolError(f"no flow has been registered for message type {kind}", tell_peer=False)
        if self._version is not None and self._verack:
            yield from self._advance(self._version, now)

    def on_time(self, now: float) -> Iterator[Event]:
        """Raises ProtocolError when the peer has had its time."""
        yield from ()
        if now < self._deadline:
            return
        if self._accepted:
            raise ProtocolError(f"timeout expired after {self._settings.ready_timeout:g}s waiting for Ready")
        missing = " and ".join(
            name for name, here in (("Version", self._version is not None), ("Verack", self._verack)) if not here
        )
        raise ProtocolError(f"timeout expired after {self._settings.version_timeout:g}s waiting for {missing}")

    def _on_version(self, version: VersionMessage) -> Iterator[Event]:
        self._version = version
        applied = min(self._settings.protocol_version, version.protocolVersion)
        user_agent = messages.printable(messages.shorten(version.userAgent))
        yield VersionReceived(version.protocolVersion, applied, messages.printable(version.network), user_agent)
        yield Send(messages.verack())

    def _advance(self, version: VersionMessage, now: float) -> Iterator[Event]:
        if not self._accepted:
            self._check(version)
            self._accepted = True
            self._deadline = now + self._settings.ready_timeout
            yield Accepted(version.id)
            yield Send(messages.ready())
        if self._ready:
            self._deadline = math.inf
            yield HandshakeDone(
                node_id=version.id,
                protocol=version.protocolVersion,
                applied=min(self._settings.protocol_version, version.protocolVersion),
                user_agent=messages.printable(version.userAgent),
                address=from_wire(version.address) if version.HasField("address") else None,
            )

    def _check(self, version: VersionMessage) -> None:
        """kaspad's checks in kaspad's order; the reasons are what the peer gets to read."""
        ours = self._settings
        if len(version.id) != NODE_ID_BYTES:
            raise ProtocolError(f"invalid length of node id: expected {NODE_ID_BYTES} bytes, found {len(version.id)}")
        if version.HasField("address"):
            from_wire(version.address)
        if self._taken(version.id):
            raise ProtocolError(DUPLICATE_CONNECTION)
        if version.id == ours.node_id:
            raise ProtocolError(LOOPBACK_CONNECTION)
        if version.network != ours.network:
            theirs = messages.printable(version.network)
            raise ProtocolError(f"Network mismatch - local: {ours.network}, remote: {theirs}")
        length = len(version.userAgent.encode())
        if length > USER_AGENT_LIMIT:
            raise ProtocolError(f"user agent is too long - {length} bytes, limit: {USER_AGENT_LIMIT}")
        if version.protocolVersion < ours.minimum_protocol_version:
            raise ProtocolError(
                f"P2P protocol version mismatch - local: {ours.protocol_version}, remote: {version.protocolVersion}"
            )
