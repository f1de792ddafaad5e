"""KaspadMessage at the border: bytes in and out, the name of its kind, and the few messages that we make."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from kaspa_node.kaspa.protowire.p2p_pb2 import (
    PingMessage,
    PongMessage,
    ReadyMessage,
    RejectMessage,
    RequestAddressesMessage,
    VerackMessage,
)

REASON_LIMIT = 2048
"""Bytes of a reject reason that are kept (kaspad)."""


def decode(data: bytes) -> KaspadMessage:
    """Parse one message of the stream; ProtocolError when it is none."""
    try:
        return KaspadMessage.FromString(data)
    except DecodeError as error:
        raise ProtocolError("received bytes that are no kaspad p2p message", tell_peer=False) from error


@dataclass(frozen=True, slots=True)
class Unread:
    """A message that was neither unpacked nor parsed. kind: as kaspad names it; size: bytes of its payload."""

    kind: str
    size: int


Incoming = KaspadMessage | Unread


def kind_of_field(name: str) -> str:
    """kaspad's name of a payload ("RequestAddresses") whose field is called `name` ("requestAddresses")."""
    return name[0].upper() + name[1:]


def kind(message: Incoming) -> str:
    """Name of the payload as kaspad writes it ("RequestAddresses"), or "" when there is none.

    A payload of a later protocol version, unknown to our schema, looks like none: so it does to kaspad.
    """
    if isinstance(message, Unread):
        return message.kind
    name = message.WhichOneof("payload")
    return "" if name is None else kind_of_field(name)


def verack() -> KaspadMessage:
    """The answer to a Version."""
    return KaspadMessage(verack=VerackMessage())


def ready() -> KaspadMessage:
    """What ends our half of the handshake."""
    return KaspadMessage(ready=ReadyMessage())


def reject(reason: str) -> KaspadMessage:
    """The last message of a session that we refuse to go on with."""
    return KaspadMessage(reject=RejectMessage(reason=shorten(reason)))


def ping(nonce: int) -> KaspadMessage:
    """A sign of life asked for; nonce: 64 bits."""
    return KaspadMessage(ping=PingMessage(nonce=nonce))


def pong(nonce: int, request_id: int) -> KaspadMessage:
    """The answer to a Ping; request_id: the Ping's."""
    return KaspadMessage(pong=PongMessage(nonce=nonce), response_id=request_id)


def request_addresses() -> KaspadMessage:
    """Asks for the peer's known addresses."""
    return KaspadMessage(requestAddresses=RequestAddressesMessage())


def shorten(reason: str) -> str:
    """At most REASON_LIMIT bytes of it, cut between characters."""
    return reason.encode("utf-8", "replace")[:REASON_LIMIT].decode("utf-8", "ignore")


def printable(text: str) -> str:
    """Text of the peer made safe to show: what could steer a terminal or break a line is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
