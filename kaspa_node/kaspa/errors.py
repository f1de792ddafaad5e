"""What can go wrong in the Kaspa layer.

KaspaError
├── ProtocolError              the peer broke the protocol, or an exchange ran out of time
├── HandshakeFailed            a connection brought no session; the reason is the peer's or ours
│   └── DuplicateConnection    one of both sides already has a session with the other
├── PeerUnavailable            the embedded peer's own socket can't be used
├── SessionClosed              asked of a session that is not ready, or has ended
├── PingTimeout                not all pings were answered in time
└── StreamEnded                the gRPC stream is over; the end says how

ServerStopped is for people: the process can't go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from kaspa_node.errors import KaspaNodeError, LayerError


class KaspaError(LayerError):
    """Base of this layer's errors. reason: one line for people; the class says what happened."""

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
    """A connection brought no session: `reason` is the reject reason of either side, or what ended the stream."""


class DuplicateConnection(HandshakeFailed):
    """One of both sides already has a session with the other, of either direction, and keeps that one."""


class PeerUnavailable(KaspaError):
    """The embedded Kaspa peer can't be reached over its local socket: a matter of this host, not of the remote."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"this host's own Kaspa peer can't be reached: {problem}")


class SessionClosed(KaspaError):
    """The session is not ready or has ended, or it ended before what was asked of it was done."""


class PingTimeout(KaspaError):
    """Not all pings of an exercise were answered in time."""


class End(StrEnum):
    """How a gRPC stream ended. All of them mean that the peer is gone."""

    ENDED = "ended"
    """The peer ended its direction in order."""
    RESET = "reset"
    """The call was cancelled, or the connection broke under it: gRPC's server can't distinguish the two."""
    UNREACHABLE = "unreachable"
    """Nothing answers, or the connection broke under the call."""
    REFUSED = "refused"
    """The peer's server does not take this caller."""
    NOT_SERVED = "not-served"
    """The peer's server does not know the call: it is no Kaspa node."""
    OVER_A_LIMIT = "over-a-limit"
    """A message is longer than its reader accepts, or the peer's server has too many calls."""
    BROKEN = "broken"
    """The peer does not speak gRPC as it should."""
    CLOSED_HERE = "closed-here"
    """This side closed it."""


_SENTENCES: Mapping[End, str] = {
    End.ENDED: "the peer ended the stream",
    End.RESET: "the peer reset the stream, or its connection is gone",
    End.UNREACHABLE: "the peer does not answer, or its connection is gone",
    End.REFUSED: "the peer refused the stream",
    End.NOT_SERVED: "the peer serves no Kaspa on this stream",
    End.OVER_A_LIMIT: "a message was too long, or the peer has too many sessions",
    End.BROKEN: "the peer broke gRPC's rules",
    End.CLOSED_HERE: "closed by this side",
}


class StreamEnded(KaspaError):
    """The gRPC stream is over. end: how."""

    def __init__(self, end: End) -> None:
        super().__init__(_SENTENCES[end])
        self.end = end


class ServerStopped(KaspaNodeError):
    """The gRPC server has stopped by itself: it can accept no more sessions, so the process must end."""

    def __init__(self) -> None:
        super().__init__("the gRPC server of the embedded Kaspa peer has stopped by itself; restart the node")
