"""Messages of circuit relay v2 (libp2p specs, relay/circuit-v2.md), to bytes and back."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from libp2p.peer.id import ID
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Reservation, Status, StopMessage

from kaspa_node.p2p.channel import select
from kaspa_node.p2p.channel.connection import CircuitLimit
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import ProtocolError
from kaspa_node.p2p.wire import delimited, uvarint

HOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/hop"
STOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/stop"
MAX_BYTES = 4 * 1024

# A field of ours in the Reservation message: the life in seconds, a varint. The specification has only `expire`, which
# depends on the relay's clock. Other programs skip a field that they don't know.
LIFE_FIELD = 27505
_VARINT = 0

OK = "OK"
RESERVATION_REFUSED = "RESERVATION_REFUSED"
RESOURCE_LIMIT_EXCEEDED = "RESOURCE_LIMIT_EXCEEDED"
PERMISSION_DENIED = "PERMISSION_DENIED"
CONNECTION_FAILED = "CONNECTION_FAILED"
NO_RESERVATION = "NO_RESERVATION"
MALFORMED_MESSAGE = "MALFORMED_MESSAGE"
UNEXPECTED_MESSAGE = "UNEXPECTED_MESSAGE"

# Statuses by which relays refuse a reservation for one of their limits; rust-libp2p uses the second for too many
# requests, too (protocols/relay/src/behaviour.rs).
NO_ROOM = (RESERVATION_REFUSED, RESOURCE_LIMIT_EXCEEDED)


def status_name(number: int) -> str:
    """The specification's name of a status, or its number if it has none."""
    return next((name for name, value in Status.items() if value == number), f"STATUS_{number}")


def status_number(name: str) -> Status.ValueType:
    """The number of a status."""
    return Status.Value(name)


def limit_of(message: HopMessage | StopMessage) -> CircuitLimit | None:
    """The limit of a circuit that a relay names, or None if it names none."""
    limit = CircuitLimit(message.limit.duration, message.limit.data)
    return limit if limit.seconds or limit.bytes else None


def peer_text(raw: bytes) -> str:
    """A peer id in base58. Raises ProtocolError."""
    if not 2 <= len(raw) <= 64:
        raise ProtocolError(f"a peer id of {len(raw)} bytes")
    return str(ID(raw).to_base58())


def peer_bytes(peer: str) -> bytes:
    """The binary form of a peer id in base58."""
    return bytes(ID.from_base58(peer).to_bytes())


def put_life(reservation: Reservation, seconds: int) -> None:
    """Send along how long the reservation lasts."""
    reservation.MergeFromString(uvarint(LIFE_FIELD << 3 | _VARINT) + uvarint(seconds))


def life_of(reservation: Reservation) -> int | None:
    """How long the reservation lasts in seconds, if the relay has sent it."""
    unknown = UnknownFieldSet(reservation)
    fields = [unknown[index] for index in range(len(unknown))]
    values = [field.data for field in fields if (field.field_number, field.wire_type) == (LIFE_FIELD, _VARINT)]
    return int(values[-1]) if values else None


async def read_hop(stream: Stream) -> HopMessage:
    """The next message of a HOP stream. Raises ProtocolError, StreamReset."""
    try:
        return HopMessage.FromString(await select.read_message(stream, MAX_BYTES))
    except DecodeError as error:
        raise ProtocolError(f"a HOP message that can't be read: {error}") from error


async def read_stop(stream: Stream) -> StopMessage:
    """The next message of a STOP stream. Raises ProtocolError, StreamReset."""
    try:
        return StopMessage.FromString(await select.read_message(stream, MAX_BYTES))
    except DecodeError as error:
        raise ProtocolError(f"a STOP message that can't be read: {error}") from error


async def write(stream: Stream, message: HopMessage | StopMessage) -> None:
    """Send one message. Raises StreamReset."""
    await stream.write(delimited(message.SerializeToString()))
