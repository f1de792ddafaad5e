"""From raw bytes to a secured, multiplexed connection: one state machine for the whole of it.

The dialer sends the proposal of Noise and its first handshake message at once; if both ends name yamux in the
handshake, the muxer costs no round trip; otherwise it is proposed inside the channel without waiting for the answer.
"""

from __future__ import annotations

from kaspa_node.p2p.channel import noise, yamux
from kaspa_node.p2p.channel.negotiate import Answerer, Proposer
from kaspa_node.p2p.channel.noise import NoiseHandshake, NoiseKeys, NoiseTransport


class Upgrade:
    """One upgrade, of the dialer (`initiator`) or of the listener.

    expected: the peer id that must answer, or None. filler: as in NoiseHandshake.
    done: `session`, `remote`, `binding` and `plaintext` (what the remote sent behind it) are valid.
    """

    def __init__(self, keys: NoiseKeys, *, initiator: bool, expected: str | None = None, filler: int = 0) -> None:
        self.initiator = initiator
        self.done = False
        self.session: NoiseTransport | None = None
        self.plaintext: list[bytes] = []
        self._handshake = NoiseHandshake(keys, initiator=initiator, expected=expected, filler=filler)
        self._security: Proposer | Answerer | None = (
            Proposer([noise.PROTOCOL]) if initiator else Answerer(lambda name: name == noise.PROTOCOL)
        )
        self._muxer: Proposer | Answerer | None = None

    @property
    def remote(self) -> str:
        """The remote's peer id in base58."""
        return self._handshake.remote

    @property
    def binding(self) -> bytes:
        """The handshake hash: 32 bytes that both ends of this connection, and no other, have."""
        return self._handshake.binding

    def opening(self) -> bytes:
        """What is sent first."""
        if isinstance(self._security, Proposer):
            return self._security.opening() + self._handshake.opening()
        return b""

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the wire; returns what must be sent. Raises NegotiationError, NoiseError, ProtocolError."""
        out = b""
        if self._security is not None:
            out = self._security.receive(data)
            if self._security.agreed is None:
                return out
            data = self._security.rest()
            self._security = None
        if self.session is not None:
            return out + self._inside(self.session.open(data))
        out += self._handshake.receive(data)
        if self._handshake.done:
            out += self._secured()
        return out

    def _secured(self) -> bytes:
        self.session = self._handshake.session()
        out = b""
        if self._handshake.muxer != yamux.PROTOCOL:
            if self.initiator:
                self._muxer = Proposer([yamux.PROTOCOL])
                out = self.session.seal(self._muxer.opening())
            else:
                self._muxer = Answerer(lambda name: name == yamux.PROTOCOL)
        return out + self._inside(self.session.open(b""))

    def _inside(self, messages: list[bytes]) -> bytes:
        assert self.session is not None
        if self._muxer is None:
            self.plaintext += messages
            self.done = True
            return b""
        answer = self._muxer.receive(b"".join(messages))
        if self._muxer.agreed is not None:
            rest = self._muxer.rest()
            self.plaintext += [rest] if rest else []
            self.done = True
        return self.session.seal(answer) if answer else b""
