"""multistream-select 1.0: which protocol the next bytes speak.

Each token is a delimited line ending in a newline; both sides first name the negotiation itself. A dialer with one
protocol to offer need not wait: it sends its data behind the proposal (optimistic, V1Lazy in rust-libp2p) and checks
the answer when it arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kaspa_node.p2p.errors import NegotiationError, ProtocolError
from kaspa_node.p2p.wire import DelimitedBuffer, delimited

HEADER = "/multistream/1.0.0"
NOT_AVAILABLE = "na"
MAX_TOKEN_BYTES = 1024
MAX_PROPOSALS = 32


def token(text: str) -> bytes:
    """The wire form of one token."""
    return delimited(text.encode() + b"\n")


def _text(message: bytes) -> str:
    if not message.endswith(b"\n"):
        raise ProtocolError("a multistream token without its newline")
    return message[:-1].decode(errors="replace")


class Proposer:
    """The side that opens: proposes its protocols in order of preference.

    agreed: the protocol, once the remote has confirmed one.
    """

    def __init__(self, protocols: Sequence[str]) -> None:
        if not protocols:
            raise ValueError("nothing to propose")
        self.agreed: str | None = None
        self._left = list(protocols)
        self._seen_header = False
        self._buffer = DelimitedBuffer(MAX_TOKEN_BYTES)

    def opening(self) -> bytes:
        """What is sent first: the header and the first proposal in one piece."""
        return token(HEADER) + token(self._left[0])

    def receive(self, data: bytes) -> bytes:
        """Take the remote's bytes; returns what must be sent. Raises NegotiationError when all is refused."""
        self._buffer.feed(data)
        out = b""
        while self.agreed is None and (message := self._buffer.next()) is not None:
            out += self._answer(_text(message))
        return out

    def _answer(self, text: str) -> bytes:
        if not self._seen_header:
            if text != HEADER:
                raise ProtocolError(f"expected {HEADER}, got {text!r}")
            self._seen_header = True
            return b""
        if text == self._left[0]:
            self.agreed = text
            return b""
        if text != NOT_AVAILABLE:
            raise ProtocolError(f"an answer to {self._left[0]} that is neither it nor `na`: {text!r}")
        refused = self._left.pop(0)
        if not self._left:
            raise NegotiationError(f"the remote does not speak {refused}")
        return token(self._left[0])

    def rest(self) -> bytes:
        """The bytes behind the agreement."""
        return self._buffer.rest()


class Answerer:
    """The side that listens: confirms the first protocol that `speaks` accepts.

    agreed: the protocol, once confirmed.
    """

    def __init__(self, speaks: Callable[[str], bool]) -> None:
        self.agreed: str | None = None
        self._speaks = speaks
        self._seen_header = False
        self._proposals = 0
        self._buffer = DelimitedBuffer(MAX_TOKEN_BYTES)

    def receive(self, data: bytes) -> bytes:
        """Take the remote's bytes; returns what must be sent. Raises ProtocolError on anything out of order.

        A remote that did not wait has sent its first data after a proposal that is refused. The data is not a token,
        and the remote must still get the refusal.
        """
        self._buffer.feed(data)
        out = b""
        while self.agreed is None:
            try:
                message = self._buffer.next()
                if message is None:
                    break
                out += self._answer(_text(message))
            except ProtocolError:
                if not out:
                    raise
                break
        return out

    def _answer(self, text: str) -> bytes:
        if not self._seen_header:
            if text != HEADER:
                raise ProtocolError(f"expected {HEADER}, got {text!r}")
            self._seen_header = True
            return token(HEADER)
        self._proposals += 1
        if self._proposals > MAX_PROPOSALS:
            raise ProtocolError(f"more than {MAX_PROPOSALS} proposals")
        if not self._speaks(text):
            return token(NOT_AVAILABLE)
        self.agreed = text
        return token(text)

    def rest(self) -> bytes:
        """The bytes behind the agreement."""
        return self._buffer.rest()
