"""The secure channel: Noise XX over 25519, ChaChaPoly, SHA-256, as in libp2p's noise specification.

Handshake and transport messages carry a two-byte length. The muxer is agreed inside the handshake payload (the
specification's extension registry), so that no round trip is spent on it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from google.protobuf.message import DecodeError
from libp2p.crypto.ed25519 import Ed25519PublicKey
from libp2p.crypto.keys import KeyPair, PublicKey
from libp2p.crypto.pb.crypto_pb2 import KeyType
from libp2p.crypto.pb.crypto_pb2 import PublicKey as KeyMessage
from libp2p.peer.id import ID
from libp2p.security.noise.pb.noise_pb2 import NoiseHandshakePayload
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseInvalidMessage, NoiseValueError

from kaspa_node.p2p.errors import NoiseError, WrongPeer
from kaspa_node.p2p.wire import delimited, uvarint

PROTOCOL = "/noise"
_NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
_SIGNED_PREFIX = b"noise-libp2p-static-key:"
_TAG_BYTES = 16
MAX_MESSAGE = 65535
MAX_PLAINTEXT = MAX_MESSAGE - _TAG_BYTES
_NONCE = struct.Struct("<IQ")
# Not in the specification: others skip the field as unknown. It makes a handshake message fill a TCP segment.
_FILLER = uvarint(27506 << 3 | 2)


class NoiseKeys:
    """What one host needs for all its handshakes: the identity and a static Noise key, signed once."""

    def __init__(self, identity: KeyPair, muxers: Sequence[str]) -> None:
        static = X25519PrivateKey.generate()
        self.static_private = static.private_bytes_raw()
        self.muxers = tuple(muxers)
        payload = NoiseHandshakePayload(
            identity_key=identity.public_key.serialize(),
            identity_sig=identity.private_key.sign(_SIGNED_PREFIX + static.public_key().public_bytes_raw()),
        )
        payload.extensions.stream_muxers.extend(self.muxers)
        self.payload: bytes = payload.SerializeToString()


class NoiseHandshake:
    """One handshake. Three messages: initiator, responder, initiator.

    filler: bytes by which the second and the third message are longer. Then the handshake does not come to its end on a
    path that drops full-size packets.
    done: the channel is up; then `remote` (base58 peer id), `muxer` (agreed early, or None), `binding` (the handshake
    hash: the same 32 bytes on both ends, and no other connection has them) and `session()` are valid.
    """

    def __init__(self, keys: NoiseKeys, *, initiator: bool, expected: str | None = None, filler: int = 0) -> None:
        self.initiator = initiator
        self.done = False
        self.remote = ""
        self.muxer: str | None = None
        self.binding = b""
        self._keys = keys
        self._payload = keys.payload + (_FILLER + delimited(bytes(filler)) if filler else b"")
        self._expected = expected
        self._buffer = bytearray()
        self._step = 0
        self._noise = NoiseConnection.from_name(_NAME)
        self._noise.set_keypair_from_private_bytes(Keypair.STATIC, keys.static_private)
        (self._noise.set_as_initiator if initiator else self._noise.set_as_responder)()
        self._noise.start_handshake()
        # The library forgets the remote's static key at the end of the handshake; the state object keeps it.
        self._state = self._noise.noise_protocol.handshake_state

    def opening(self) -> bytes:
        """The initiator's first message; empty for a responder."""
        return self._write(b"") if self.initiator else b""

    def receive(self, data: bytes) -> bytes:
        """Take the remote's bytes; returns what must be sent. Raises NoiseError (WrongPeer among them)."""
        self._buffer += data
        out = b""
        while not self.done and (message := self._next_message()) is not None:
            out += self._advance(message)
        return out

    def _next_message(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        end = 2 + int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) < end:
            return None
        message = bytes(self._buffer[2:end])
        del self._buffer[:end]
        return message

    def _advance(self, message: bytes) -> bytes:
        try:
            payload = bytes(self._noise.read_message(message))
        except (InvalidTag, NoiseInvalidMessage, NoiseValueError, ValueError) as error:
            raise NoiseError(
                f"a handshake message failed its authentication: {error or type(error).__name__}"
            ) from error
        self._step += 1
        if self.initiator:
            self._verify(payload)
            return self._finish(self._write(self._payload))
        if self._step == 1:
            return self._write(self._payload)
        self._verify(payload)
        return self._finish(b"")

    def _finish(self, out: bytes) -> bytes:
        self.binding = bytes(self._noise.get_handshake_hash())
        self.done = True
        return out

    def _write(self, payload: bytes) -> bytes:
        try:
            message = bytes(self._noise.write_message(payload))
        except ValueError as error:
            raise NoiseError(f"the remote's Noise key can't be used: {error}") from error
        return len(message).to_bytes(2, "big") + message

    def _verify(self, raw: bytes) -> None:
        try:
            payload = NoiseHandshakePayload.FromString(raw)
            key = _ed25519(payload.identity_key)
            theirs = list(payload.extensions.stream_muxers)
            static = self._state.rs.public_bytes
            genuine = key.verify(_SIGNED_PREFIX + static, payload.identity_sig)
        except (DecodeError, ValueError) as error:
            raise NoiseError(f"the remote's identity can't be read: {error}") from error
        if not genuine:
            raise NoiseError("the remote's identity does not sign its Noise key")
        self.remote = ID.from_pubkey(key).to_base58()
        if self._expected is not None and self.remote != self._expected:
            raise WrongPeer(self._expected, self.remote)
        first, second = (self._keys.muxers, theirs) if self.initiator else (theirs, self._keys.muxers)
        self.muxer = next((m for m in first if m in second), None)

    def session(self) -> NoiseTransport:
        """The transport phase, with what the remote has sent behind its last handshake message."""
        protocol = self._noise.noise_protocol
        return NoiseTransport(
            bytes(protocol.cipher_state_encrypt.k), bytes(protocol.cipher_state_decrypt.k), bytes(self._buffer)
        )


def _ed25519(raw: bytes) -> PublicKey:
    """An identity key. Raises NoiseError, DecodeError, ValueError.

    Ed25519 only, as in the settings: the library's RSA parser takes PEM and SSH formats too, and fails on hostile ones
    with whatever error comes first.
    """
    message = KeyMessage.FromString(raw)
    if message.key_type != KeyType.Ed25519:
        raise NoiseError(f"the remote's identity is a key of type {message.key_type}; only Ed25519 is supported")
    return Ed25519PublicKey.from_bytes(message.data)


class NoiseTransport:
    """The transport phase: seals plaintext into messages, opens what arrives."""

    def __init__(self, send_key: bytes, receive_key: bytes, received: bytes = b"") -> None:
        self._encrypt = ChaCha20Poly1305(send_key).encrypt
        self._decrypt = ChaCha20Poly1305(receive_key).decrypt
        self._sent = 0
        self._opened = 0
        self._carry = received

    def seal(self, plaintext: bytes | memoryview) -> bytes:
        """Ciphertext of all of `plaintext`, split into as many messages as it needs."""
        if len(plaintext) <= MAX_PLAINTEXT:
            return self._seal_one(plaintext)
        view = memoryview(plaintext)
        return b"".join(self._seal_one(view[i : i + MAX_PLAINTEXT]) for i in range(0, len(view), MAX_PLAINTEXT))

    def _seal_one(self, plaintext: bytes | memoryview) -> bytes:
        sealed = self._encrypt(_NONCE.pack(0, self._sent), plaintext, None)
        self._sent += 1
        return len(sealed).to_bytes(2, "big") + sealed

    def open(self, data: bytes) -> list[bytes]:
        """The plaintext of each message that is whole with `data`. Raises NoiseError."""
        if self._carry:
            data = self._carry + data
        view = memoryview(data)
        out: list[bytes] = []
        start, size = 0, len(data)
        while size - start >= 2:
            end = start + 2 + (data[start] << 8 | data[start + 1])
            if end > size:
                break
            try:
                out.append(self._decrypt(_NONCE.pack(0, self._opened), view[start + 2 : end], None))
            except InvalidTag as error:
                raise NoiseError("a message failed its authentication") from error
            self._opened += 1
            start = end
        self._carry = data[start:] if start < size else b""
        return out
