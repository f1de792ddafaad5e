"""The messages of one hole-punch attempt, and the instant at which each side dials. No socket, no clock.

B, the side that sees the relayed connection as incoming, sends CONNECT, gets A's CONNECT, sends SYNC and dials half a
round trip later; A dials when SYNC arrives. Both then dial at the same instant, and each SYN finds the other's NAT
open.

Two of our peers need one message less: if both CONNECTs have field 27504, B dials when A's CONNECT arrives, and A
dials half a relayed round trip after it has sent it, because A has timed the relay in the Noise handshake. Others
skip the field as unknown and get the specification's order. Only the first attempt is timed so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from libp2p.relay.circuit_v2.pb.dcutr_pb2 import HolePunch

from kaspa_node.p2p import addresses
from kaspa_node.p2p.addresses import Leg, SocketAddress
from kaspa_node.p2p.errors import ProtocolError
from kaspa_node.p2p.wire import uvarint

PROTOCOL = "/libp2p/dcutr"
MAX_BYTES = 4 * 1024
LONGEST_WAIT = 2.0

SERVER = "server"
CLIENT = "client"

_AGREED_FIELD = 27504
_AGREED = uvarint(_AGREED_FIELD << 3) + b"\x01"


@dataclass(frozen=True, slots=True)
class Send:
    """Send this message, delimited."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial all of `targets` at `at` (seconds, the caller's clock).

    role: SERVER answers the security handshake, CLIENT opens it. round_trip: over the relay, in seconds.
    """

    at: float
    role: str
    targets: tuple[SocketAddress, ...]
    round_trip: float


@dataclass(frozen=True, slots=True)
class Expect:
    """From now on the remote may connect from any of `targets`, and this side has `role`.

    The remote's dial may arrive at the listener before ours has begun: if no firewall protects the listening port, or
    if the dial overtakes SYNC. As CLIENT the listener then opens the handshake, because the remote waits for it.
    """

    targets: tuple[SocketAddress, ...]
    role: str


Event = Send | Expect | Dial


def _connect(ours: Sequence[SocketAddress], agreed: bool) -> bytes:
    message = HolePunch(type=HolePunch.CONNECT)
    message.ObsAddrs.extend(address.encode() for address in ours)
    return bytes(message.SerializeToString()) + (_AGREED if agreed else b"")


def _parse(raw: bytes, expected: HolePunch.Type.ValueType, remote: str) -> tuple[tuple[SocketAddress, ...], bool]:
    try:
        message = HolePunch.FromString(raw)
    except DecodeError as error:
        raise ProtocolError(f"a hole-punch message that can't be read: {error}") from error
    if not message.HasField("type") or message.type != expected:
        got = f"type {message.type}" if message.HasField("type") else "none that is known"
        raise ProtocolError(f"hole punch: expected {HolePunch.Type.Name(expected)}, got {got}")
    unknown = UnknownFieldSet(message)
    agreed = any(unknown[index].field_number == _AGREED_FIELD for index in range(len(unknown)))
    return addresses.decode_all(message.ObsAddrs, remote), agreed


class Initiator:
    """B's side of one attempt.

    ours: where B can be reached. leg: B's connection to the relay. remote: A's id. agreed: offer the shorter timing.
    """

    def __init__(self, ours: Sequence[SocketAddress], *, leg: Leg, remote: str, agreed: bool) -> None:
        self._ours = ours
        self._leg = leg
        self._remote = remote
        self._offered = agreed
        self._sent_at = 0.0

    def start(self, now: float) -> list[Event]:
        """Begin the attempt."""
        self._sent_at = now
        return [Send(_connect(self._ours, self._offered))]

    def receive(self, raw: bytes, now: float) -> list[Event]:
        """Take A's CONNECT. Raises ProtocolError."""
        theirs, agreed = _parse(raw, HolePunch.CONNECT, self._remote)
        round_trip = now - self._sent_at
        wait = 0.0 if agreed and self._offered else min(round_trip / 2, LONGEST_WAIT)
        sync = Send(bytes(HolePunch(type=HolePunch.SYNC).SerializeToString()))
        targets = addresses.reachable(theirs, self._leg)
        return [Expect(targets, SERVER), sync, Dial(now + wait, SERVER, targets, round_trip)]


class Responder:
    """A's side of one attempt.

    ours: where A can be reached. leg: A's connection to the relay. remote: B's id.
    round_trip: over the relay, in seconds, or None if it was not timed.
    """

    def __init__(self, ours: Sequence[SocketAddress], *, leg: Leg, remote: str, round_trip: float | None) -> None:
        self._ours = ours
        self._leg = leg
        self._remote = remote
        self._round_trip = round_trip
        self._targets: tuple[SocketAddress, ...] | None = None
        self._sent_at = 0.0

    def receive(self, raw: bytes, now: float) -> list[Event]:
        """Take B's CONNECT, then, unless the dial was agreed, its SYNC. Raises ProtocolError."""
        if self._targets is not None:
            _parse(raw, HolePunch.SYNC, self._remote)
            return [Dial(now, CLIENT, self._targets, now - self._sent_at)]
        theirs, offered = _parse(raw, HolePunch.CONNECT, self._remote)
        self._targets = addresses.reachable(theirs, self._leg)
        self._sent_at = now
        agreed = offered and self._round_trip is not None
        events: list[Event] = [Expect(self._targets, CLIENT), Send(_connect(self._ours, agreed))]
        if offered and self._round_trip is not None:
            wait = min(self._round_trip / 2, LONGEST_WAIT)
            events.append(Dial(now + wait, CLIENT, self._targets, self._round_trip))
        return events
