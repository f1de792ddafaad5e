"""What can go wrong in the Kaspa layer.

KaspaError
├── ProtocolError     the peer broke the protocol, or an exchange ran out of time
├── HandshakeFailed   no session came of a connection; the reason is the peer's or ours
├── SessionClosed     asked of a session that has ended
├── PingTimeout       not all pings were answered in time
└── StreamEnded       the gRPC stream is over, by the peer or on the way
"""

from __future__ import annotations


class KaspaError(Exception):
    """Base of this layer's errors; `reason` is one line for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProtocolError(KaspaError):
    """The peer broke the protocol, or an exchange ran out of time: the session ends.

    tell_peer: whether a Reject with the reason is sent before closing. kaspad does so for what a handshake or a flow
    finds, and closes without a word on what its router finds (common.rs, router.rs).
    """

    def __init__(self, reason: str, *, tell_peer: bool = True) -> None:
        super().__init__(reason)
        self.tell_peer = tell_peer


class HandshakeFailed(KaspaError):
    """No session came of a connection: `reason` is the reject reason of either side, or what ended the stream."""


class SessionClosed(KaspaError):
    """The session has ended, or ended before what was asked of it was done."""


class PingTimeout(KaspaError):
    """Not all pings of an exercise were answered in time."""


class StreamEnded(KaspaError):
    """The gRPC stream is over: half-closed, reset, cancelled or refused. All of them mean that the peer is gone."""
