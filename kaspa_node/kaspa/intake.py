"""What arrives on a stream, checked before it is unpacked, and unpacked before it is parsed.

gRPC hands over each message as it came, packed with gzip or plain. Of each message only the head is unpacked at first:
it names the kind and the size. A kind for which there is no flow stays packed. The others are unpacked and parsed
within a bound for their kind, and their repeated fields are counted before protobuf makes an object of each. So a
message costs no more than a small multiple of its bytes on the wire, whatever it claims to be.
"""

from __future__ import annotations

import zlib

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.addresses import RECEIVED_LIMIT
from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.messages import Incoming, Unread
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage

HEAD = 64
"""Bytes that hold the tags of every message: its kind, its size and the two route numbers."""

SHORT, LONG = 256, 16 << 10
LIMITS = {
    "Version": LONG,
    "Verack": SHORT,
    "Ready": SHORT,
    "Reject": LONG,
    "Ping": SHORT,
    "Pong": SHORT,
    "RequestAddresses": SHORT,
    "Addresses": 512 << 10,
}
"""Bytes of a payload, unpacked, by the kinds that are read.

Version and Reject hold texts (256 and 2048 bytes in kaspad); more than that is read so that the session can say what is
wrong. Addresses: kaspad sends 1,000 at most, of 40 bytes each, and the fork's are about five times as long.
"""

ENTRY_LIMIT = 1 << 10
"""Bytes of one address; the fork's hold a peer id and a multiaddr."""

MESSAGE_LIMIT = 5 << 20
"""Bytes of a message on the wire, whatever its kind.

The largest that kaspad sends without being asked is InvTransactions: 131,072 ids of 36 bytes, 4.5 MiB.
"""

IN_HANDSHAKE = frozenset({"Version", "Verack", "Ready", "Reject"})
AFTER_HANDSHAKE = frozenset({"Reject", "Ping", "Pong", "RequestAddresses", "Addresses"})

_GZIP = b"\x1f\x8b"
"""First bytes of a packed message. As a protobuf they would be a field of wire type 7, which does not exist."""

_GZIP_WINDOW = 31
"""zlib's number for gzip with any window."""

_VARINT, _BYTES = 0, 2
_ROUTES = {field.number for name, field in KaspadMessage.DESCRIPTOR.fields_by_name.items() if name.endswith("_id")}
_KINDS = {
    field.number: messages.kind_of_field(field.name)
    for field in KaspadMessage.DESCRIPTOR.oneofs_by_name["payload"].fields
}


class Intake:
    """Reads the messages of one stream in their order."""

    def __init__(self) -> None:
        self._readable = IN_HANDSHAKE

    def take(self, data: bytes) -> Incoming:
        """One message, or, if nothing is going to look into it, its kind and size. ProtocolError if it is none.

        data: as gRPC hands it over. Before the peer's Ready only the handshake's messages are read; Addresses are read
        once, because they are asked for once.
        """
        head = _unpacked(data, HEAD)
        found = _payload(head)
        if found is None:
            # No payload, or one of a later version: to kaspad, too, such a message has none.
            return KaspadMessage()
        kind, start, size = found
        if kind not in self._readable:
            return Unread(kind, size)
        if size > LIMITS[kind]:
            raise ProtocolError(f"a {kind} message of {size} bytes exceeds {LIMITS[kind]}")
        whole = _whole(data, kind, start + size + HEAD)
        if kind == "Addresses":
            _count_entries(whole, start, min(start + size, len(whole)))
            self._readable -= {kind}
        if kind == "Ready":
            self._readable = AFTER_HANDSHAKE
        return messages.decode(whole)


def _whole(data: bytes, kind: str, limit: int) -> bytes:
    whole = _unpacked(data, limit + 1)
    if len(whole) > limit:
        raise ProtocolError(f"a {kind} message is longer than it says", tell_peer=False)
    return whole


def _unpacked(data: bytes, limit: int) -> bytes:
    """The first `limit` bytes of a message at most."""
    if not data.startswith(_GZIP):
        return data[:limit]
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        beginning = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise _no_message() from error
    if len(beginning) < limit and not unpacker.eof:
        raise _no_message()
    return beginning


def _payload(head: bytes) -> tuple[str, int, int] | None:
    """Kind of the payload, where it begins, and its size; None if the first field is neither it nor a route number."""
    at = 0
    while at < len(head):
        tag, at = _varint(head, at)
        number, wire_type = tag >> 3, tag & 7
        kind = _KINDS.get(number)
        if kind is not None and wire_type == _BYTES:
            size, at = _varint(head, at)
            return kind, at, size
        if number not in _ROUTES or wire_type != _VARINT:
            if number == 0 or wire_type > 5:
                raise _no_message()
            return None
        _, at = _varint(head, at)
    return None


def _count_entries(data: bytes, at: int, end: int) -> None:
    """Look from tag to tag of an Addresses message; ProtocolError if it has too many, or one that is too long."""
    count = 0
    while at < end:
        tag, at = _varint(data, at)
        if tag & 7 != _BYTES:
            raise ProtocolError("an Addresses message holds something that is no address", tell_peer=False)
        size, at = _varint(data, at)
        if size > ENTRY_LIMIT:
            raise ProtocolError(f"an address of {size} bytes exceeds {ENTRY_LIMIT}")
        count += 1
        if count > RECEIVED_LIMIT:
            raise ProtocolError(f"address count exceeded {RECEIVED_LIMIT}")
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    value = shift = 0
    for position in range(at, min(at + 10, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
    raise _no_message()


def _no_message() -> ProtocolError:
    return ProtocolError("received bytes that are no kaspad p2p message", tell_peer=False)
