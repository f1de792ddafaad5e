"""Errors of this package. Each class is one sentence; the text says where and why."""

from __future__ import annotations

from kaspa_node.errors import LayerError
from kaspa_node.reasons import Reason


class P2PError(LayerError):
    """Base of all errors of this package.

    problem: what went wrong, as a clause that does not repeat where.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class ProtocolError(P2PError):
    """The remote broke a protocol: its connection can't be used any more."""


class NegotiationError(ProtocolError):
    """The remote speaks none of the protocols that were proposed."""


class NoiseError(ProtocolError):
    """The secure channel could not be set up, or a message failed its authentication."""


class WrongPeer(NoiseError):
    """Another peer than the expected one answered.

    expected, actual: peer ids in base58.
    """

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected peer {expected}, but {actual} answered")
        self.expected = expected
        self.actual = actual


class ConnectionLost(P2PError):
    """The connection is gone: closed by either end, reset, or silent for too long."""


class NothingSaid(ConnectionLost):
    """The remote hung up before it sent anything."""


class ConnectionStarved(ConnectionLost):
    """Nothing arrives over the connection any more, although neither side has ended it."""


class StreamReset(P2PError):
    """The stream was reset: what was sent may not have arrived."""


class DialError(P2PError):
    """No connection could be made.

    address: the socket address at which it was tried, or None.
    """

    def __init__(self, problem: str, address: object = None) -> None:
        super().__init__(problem)
        self.address = address

    def __str__(self) -> str:
        return self.problem if self.address is None else f"{self.address}: {self.problem}"


class HandshakeTimeout(DialError):
    """The remote is connected, and the secure channel was not set up in time."""


class PunchFailed(DialError):
    """A hole punch, or one attempt, brought no direct connection.

    reason: its code, and the sentence that is the error's text.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


class PortBusy(DialError):
    """The dial can't leave from the wanted local port: an earlier connection between the same two ends lingers."""


class ListenError(P2PError):
    """The listening socket could not be opened.

    address: the socket address. remedy: what helps, as a clause, if it is known.
    """

    def __init__(self, address: object, problem: str, remedy: str | None = None) -> None:
        super().__init__(problem)
        self.address = address
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"can't listen on {self.address}: {self.problem}"
        return text if self.remedy is None else f"{text}; {self.remedy}"


_STATUS_MEANINGS = {
    "PERMISSION_DENIED": "this peer is not on its allow list",
    "CONNECTION_FAILED": "the remote did not accept the circuit; is this peer on the remote's allow list?",
    "RESERVATION_REFUSED": "it grants no more reservations",
    "RESOURCE_LIMIT_EXCEEDED": "a limit of the relay is used up",
}


class RelayRefused(P2PError):
    """The relay answered a request with another status than OK.

    status: the name of the status in the circuit relay v2 specification, such as RESERVATION_REFUSED.
    """

    def __init__(self, status: str) -> None:
        meaning = _STATUS_MEANINGS.get(status)
        super().__init__(f"the relay answered {status}" + (f" ({meaning})" if meaning else ""))
        self.status = status


class NoReservation(RelayRefused):
    """The relay holds no reservation of the destination."""

    def __init__(self) -> None:
        super().__init__("NO_RESERVATION")
