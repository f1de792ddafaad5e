"""What the protocol's state machines report. The shell sends, logs and counts; the machines only say."""

from __future__ import annotations

from dataclasses import dataclass

from kaspa_node.kaspa.addresses import NodeAddress
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage


@dataclass(frozen=True, slots=True)
class Send:
    """A message to put on the stream, after those before it."""

    message: KaspadMessage


@dataclass(frozen=True, slots=True)
class VersionSent:
    """Our Version goes out. protocol: as advertised; network: name on the wire."""

    protocol: int
    network: str


@dataclass(frozen=True, slots=True)
class VersionReceived:
    """The peer's Version came, unchecked. protocol: as it advertises; applied: what a session would use."""

    protocol: int
    applied: int
    network: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class VerackReceived:
    """The peer has our Version."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The peer passed our checks, Ready goes out; from now on its key (node id and IP) counts as taken."""

    node_id: bytes


@dataclass(frozen=True, slots=True)
class ReadyReceived:
    """The peer accepted us too."""


@dataclass(frozen=True, slots=True)
class HandshakeDone:
    """The handshake is done. address: where the peer says that it listens, or None."""

    node_id: bytes
    protocol: int
    applied: int
    user_agent: str
    address: NodeAddress | None


@dataclass(frozen=True, slots=True)
class RejectSent:
    """We sent the peer the reason why the session ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class RejectReceived:
    """The peer sent the reason why the session ends. reason: at most 2048 bytes, printable."""

    reason: str


@dataclass(frozen=True, slots=True)
class PingReceived:
    """A Ping, which has been answered."""

    nonce: int


@dataclass(frozen=True, slots=True)
class PingAnswered:
    """A Pong to a Ping of ours. seconds: between them."""

    nonce: int
    seconds: float


@dataclass(frozen=True, slots=True)
class AddressesReceived:
    """The peer's answer to RequestAddresses."""

    addresses: tuple[NodeAddress, ...]


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message for which we have no flow. kind: as kaspad names it; size: bytes."""

    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The session ended before the handshake was done. The last event."""

    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The session ended after the handshake. The last event."""

    reason: str


Event = (
    Send
    | VersionSent
    | VersionReceived
    | VerackReceived
    | Accepted
    | ReadyReceived
    | HandshakeDone
    | RejectSent
    | RejectReceived
    | PingReceived
    | PingAnswered
    | AddressesReceived
    | Ignored
    | Failed
    | Closed
)
