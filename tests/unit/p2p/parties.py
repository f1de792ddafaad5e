"""Identities and handshakes that several tests need."""

from __future__ import annotations

import hashlib

from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.keys import KeyPair
from libp2p.peer.id import ID

from kaspa_node.p2p.channel import yamux
from kaspa_node.p2p.channel.noise import NoiseHandshake, NoiseKeys, NoiseTransport


def seed(number: int) -> bytes:
    """The private key of party `number`, the same in every run."""
    return hashlib.sha256(b"party %d" % number).digest()


def identity(number: int) -> KeyPair:
    """The key pair of party `number`."""
    return create_new_key_pair(seed(number))


def peer_id(number: int) -> str:
    """The peer id of party `number`."""
    return str(ID.from_pubkey(identity(number).public_key))


def keys(number: int, muxers: tuple[str, ...] = (yamux.PROTOCOL,)) -> NoiseKeys:
    """What party `number` needs for a handshake."""
    return NoiseKeys(identity(number), muxers)


def shake_hands(initiator: NoiseHandshake, responder: NoiseHandshake) -> None:
    """Carry the three messages of a handshake."""
    last = initiator.receive(responder.receive(initiator.opening()))
    responder.receive(last)


def channel() -> tuple[NoiseTransport, NoiseTransport]:
    """Both ends of a secure channel: the dialer's, the listener's."""
    initiator = NoiseHandshake(keys(1), initiator=True)
    responder = NoiseHandshake(keys(2), initiator=False)
    shake_hands(initiator, responder)
    return initiator.session(), responder.session()
