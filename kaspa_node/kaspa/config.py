"""The settings of a Kaspa node, and what each session knows about its connection."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from kaspa_node import __version__, networks
from kaspa_node.kaspa.flows import PING_INTERVAL
from kaspa_node.kaspa.handshake import NODE_ID_BYTES, USER_AGENT_LIMIT, HandshakeSettings
from kaspa_node.kaspa.intake import MESSAGE_LIMIT
from kaspa_node.kaspa.synthetic import host_of
from kaspa_node.networks import Network

Direction = Literal["outgoing", "incoming"]

BOUND: dict[Direction, str] = {"outgoing": "outbound", "incoming": "inbound"}
"""kaspad's two words for one thing: an outgoing peer is one of the outbound ones."""


@dataclass(frozen=True, slots=True)
class Transport:
    """What a session knows about the stream under it.

    session: id in both ends' logs; peer: the remote's peer id as text; path: `direct` or `relayed`;
    direction: `outgoing` if this side opened the Kaspa stream; address: socket address text that stands for the
    peer, real or synthetic (see synthetic.py).
    """

    session: str
    peer: str
    path: str
    direction: Direction
    address: str

    @property
    def inbound(self) -> bool:
        """Whether the peer opened the Kaspa stream."""
        return self.direction == "incoming"

    @property
    def host(self) -> str:
        """The IP part of the address: with the peer's node id it makes kaspad's peer key."""
        return host_of(self.address)


def _nonce() -> int:
    return secrets.randbits(64)


def _node_id() -> bytes:
    return uuid.uuid4().bytes


@dataclass(frozen=True, slots=True)
class KaspaConfig:
    """How this node presents itself and what it asks of others; raises ValueError if a value can't be used.

    protocol_version: advertised; a session applies the lower of both sides' versions.
    minimum_protocol_version: a peer below it is rejected with kaspad's text. See networks.py for both.
    ping_interval: seconds. node_id: 16 bytes, fresh for each process as kaspad's is.
    version_timeout, ready_timeout: seconds, see HandshakeSettings.
    max_inbound: inbound sessions at a time, those in the handshake included; one more is refused at once.
    max_inbound_per_peer: of those, how many one peer id may have. A peer needs two while its session moves to another
    path, and some more while it does not know yet that the old ones have ended.
    max_message_bytes: a longer message, as it comes, ends the session (see intake.py; kaspad itself takes 1 GiB).
    nonce: where pings get their 64-bit nonces.
    """

    network: Network = networks.MAINNET
    protocol_version: int = networks.PROTOCOL_VERSION
    minimum_protocol_version: int = networks.MINIMUM_PROTOCOL_VERSION
    user_agent: str = f"/kaspa-node:{__version__}/"
    ping_interval: float = PING_INTERVAL
    node_id: bytes = field(default_factory=_node_id)
    version_timeout: float = 8.0
    ready_timeout: float = 12.0
    max_inbound: int = 128
    max_inbound_per_peer: int = 8
    max_message_bytes: int = MESSAGE_LIMIT
    nonce: Callable[[], int] = _nonce

    def __post_init__(self) -> None:
        if len(self.node_id) != NODE_ID_BYTES:
            raise ValueError(f"node_id has {len(self.node_id)} bytes; expected {NODE_ID_BYTES}")
        if len(self.user_agent.encode()) > USER_AGENT_LIMIT:
            raise ValueError(f"user_agent is longer than {USER_AGENT_LIMIT} bytes: {self.user_agent[:40]!r}…")
        if self.minimum_protocol_version > self.protocol_version:
            raise ValueError(
                f"minimum_protocol_version {self.minimum_protocol_version} is above "
                f"protocol_version {self.protocol_version}; expected at most that"
            )
        for name in (
            "ping_interval",
            "version_timeout",
            "ready_timeout",
            "max_inbound",
            "max_inbound_per_peer",
            "max_message_bytes",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected more than 0")

    def handshake(self) -> HandshakeSettings:
        """The part that the handshake needs."""
        return HandshakeSettings(
            network=self.network.wire_name,
            node_id=self.node_id,
            user_agent=self.user_agent,
            protocol_version=self.protocol_version,
            minimum_protocol_version=self.minimum_protocol_version,
            version_timeout=self.version_timeout,
            ready_timeout=self.ready_timeout,
        )
