"""identify: what a peer is, what it speaks, and at which address it sees us (libp2p specs, identify/README.md)."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError
from libp2p.crypto.keys import PublicKey
from libp2p.identity.identify.pb.identify_pb2 import Identify

from kaspa_node.p2p import addresses
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.errors import ProtocolError

PROTOCOL = "/ipfs/id/1.0.0"
PUSH_PROTOCOL = "/ipfs/id/push/1.0.0"
MAX_BYTES = 8 * 1024
MAX_PROTOCOLS = 200


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """What a peer said of itself.

    observed: the address at which it sees this side, if it names one. Over a circuit it names none of ours.
    """

    agent: str
    protocols: frozenset[str]
    listen: tuple[SocketAddress, ...]
    observed: SocketAddress | None


def encode(
    *,
    key: PublicKey,
    agent: str,
    version: str,
    protocols: list[str],
    listen: list[bytes],
    observed: bytes,
) -> bytes:
    """The Identify message of this host, for a remote that is seen at the multiaddr `observed`."""
    message = Identify(protocol_version=version, agent_version=agent, public_key=key.serialize())
    message.protocols.extend(protocols)
    message.listen_addrs.extend(listen)
    message.observed_addr = observed
    return bytes(message.SerializeToString())


def decode(raw: bytes, *, remote: str, us: str) -> PeerInfo:
    """What the peer `remote` said to the peer `us`. Raises ProtocolError."""
    try:
        message = Identify.FromString(raw)
    except DecodeError as error:
        raise ProtocolError(f"an identify message that can't be read: {error}") from error
    return PeerInfo(
        agent=message.agent_version[:256],
        protocols=frozenset(list(message.protocols)[:MAX_PROTOCOLS]),
        listen=addresses.decode_all(message.listen_addrs, remote),
        observed=addresses.decode(message.observed_addr, us),
    )
