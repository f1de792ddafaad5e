"""What an attacker sends: for each attack, plaintext of a connection without end.

Each is about as cheap to make as bytes can be, so that what is measured is the victim's work.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from libp2p.identity.identify.pb.identify_pb2 import Identify

from kaspa_node.p2p import identify
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.negotiate import HEADER, token
from kaspa_node.p2p.channel.yamux import INITIAL_WINDOW
from kaspa_node.p2p.host import PING_PROTOCOL
from kaspa_node.p2p.relay.messages import HOP_PROTOCOL
from kaspa_node.p2p.wire import delimited
from tests.unit.p2p.frames import ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW, frame

Pieces = Iterator[bytes]
"""Plaintext of one Noise message each."""

MESSAGE = 48 * 1024
"""Most attacks put this much into one Noise message: the victim gets the most frames for its bytes."""
UNKNOWN_STREAM = 0x7FFFFFF1
BODY = bytes(32 * 1024)


def _ids() -> Iterator[int]:
    """The ids that a dialer may give its streams."""
    return itertools.count(1, 2)


def _packed(frames: Iterator[bytes]) -> Pieces:
    """Messages full of those frames."""
    while True:
        piece, size = [], 0
        while size < MESSAGE:
            piece.append(next(frames))
            size += len(piece[-1])
        yield b"".join(piece)


def _by_fours(frames: Iterator[bytes]) -> Pieces:
    """Messages of a few frames: as many streams as a stranger may open."""
    while True:
        yield b"".join(itertools.islice(frames, 4))


def _repeated(one: bytes) -> Pieces:
    return itertools.repeat(one * (MESSAGE // len(one)))


def _opening(stream: int, protocol: str, flags: int = SYN, behind: bytes = b"") -> bytes:
    """A stream that proposes `protocol` and sends `behind` at once."""
    body = token(HEADER) + token(protocol) + behind
    return frame(DATA, flags, stream, len(body), body)


def plain_bytes() -> Pieces:
    """Full frames that nobody wants: what the bytes cost by themselves."""
    return itertools.repeat(frame(DATA, 0, UNKNOWN_STREAM, len(BODY), BODY))


def rapid_reset() -> Pieces:
    """Streams that are opened and reset in one frame."""
    return _packed(frame(WINDOW, SYN | RST, stream, 0) for stream in _ids())


def reset_in_two_frames() -> Pieces:
    """Streams that are opened, and reset by the next frame."""
    return _packed(frame(WINDOW, SYN, stream, 0) + frame(WINDOW, RST, stream, 0) for stream in _ids())


def opened_and_ended() -> Pieces:
    """Streams that are opened and ended, both in one frame."""
    return _by_fours(frame(WINDOW, SYN | FIN, stream, 0) for stream in _ids())


def opened_and_left() -> Pieces:
    """Streams on which nothing follows."""
    return _packed(frame(WINDOW, SYN, stream, 0) for stream in _ids())


def opened_and_reset_late() -> Pieces:
    """Streams that are reset once their handler has begun."""
    for first in itertools.count(1, 16):
        streams = range(first, first + 16, 2)
        yield b"".join(frame(WINDOW, SYN, stream, 0) for stream in streams)
        yield b"".join(frame(WINDOW, RST, stream, 0) for stream in streams)


def pings() -> Pieces:
    """Pings of the muxer."""
    return _packed(frame(PING, SYN, 0, number & 0xFFFFFFFF) for number in itertools.count())


def pongs() -> Pieces:
    """Answers to pings that nobody sent."""
    return _repeated(frame(PING, ACK, 0, 0xFFFFFFF0))


def farewells() -> Pieces:
    """One farewell after the other."""
    return _repeated(frame(GO_AWAY, 0, 0, 0))


def window_updates() -> Pieces:
    """A window that grows by a byte at a time."""
    return itertools.chain([_opening(1, PING_PROTOCOL)], _repeated(frame(WINDOW, 0, 1, 1)))


def empty_frames() -> Pieces:
    """Data frames of no bytes."""
    return itertools.chain([_opening(1, PING_PROTOCOL)], _repeated(frame(DATA, 0, 1, 0)))


def unknown_streams() -> Pieces:
    """Frames of streams that do not exist."""
    return _packed(frame(DATA, 0, stream, 0) for stream in itertools.cycle(range(1, 0x7FFF, 2)))


def single_bytes() -> Pieces:
    """Data frames of a byte, which are echoed."""
    return itertools.chain([_opening(1, PING_PROTOCOL)], _repeated(frame(DATA, 0, 1, 1, b"x")))


def trickle() -> Pieces:
    """A byte in a Noise message of its own."""
    return itertools.chain([_opening(1, PING_PROTOCOL)], itertools.repeat(frame(DATA, 0, 1, 1, b"x")))


def empty_messages() -> Pieces:
    """Noise messages without content."""
    return itertools.repeat(b"")


def identify_pushes() -> Pieces:
    """Identify messages as long as they may be, full of addresses."""
    message = Identify(agent_version="attacker")
    address = SocketAddress("203.0.113.1", 0).encode()
    while message.ByteSize() < identify.MAX_BYTES - 40:
        message.listen_addrs.append(address)
    body = delimited(message.SerializeToString())
    return (_opening(stream, identify.PUSH_PROTOCOL, SYN | FIN, body) for stream in _ids())


def small_pushes() -> Pieces:
    """Identify messages of a few bytes."""
    body = delimited(Identify(agent_version="a").SerializeToString())
    return _by_fours(_opening(stream, identify.PUSH_PROTOCOL, SYN | FIN, body) for stream in _ids())


def questions() -> Pieces:
    """The question who we are, again and again."""
    return _by_fours(_opening(stream, identify.PROTOCOL, SYN | FIN) for stream in _ids())


def proposals() -> Pieces:
    """Streams that propose what nobody speaks, as often as they may."""
    body = token(HEADER) + token("/x") * 31
    return _by_fours(frame(DATA, SYN | FIN, stream, len(body), body) for stream in _ids())


def circuit_requests() -> Pieces:
    """Requests to a relay that is not theirs to ask."""
    return _by_fours(_opening(stream, HOP_PROTOCOL, SYN | FIN, delimited(b"\x08\x00")) for stream in _ids())


def filled_windows() -> Pieces:
    """As many streams as there may be, each filled as far as its window goes and never finished."""
    for stream in _ids():
        yield _opening(stream, PING_PROTOCOL)
        left = INITIAL_WINDOW - 100
        while left > 0:
            size = min(left, MESSAGE)
            yield frame(DATA, 0, stream, size) + bytes(size)
            left -= size


def small_pieces() -> Pieces:
    """Pieces of 4 KiB that are kept, amid bytes that are dropped."""
    kept, dropped = 4096, MESSAGE - 4096
    stream, left = 1, INITIAL_WINDOW - 8192
    yield _opening(1, PING_PROTOCOL)
    while True:
        if left < kept:
            stream, left = stream + 2, INITIAL_WINDOW - 8192
            yield _opening(stream, PING_PROTOCOL)
        yield frame(DATA, 0, stream, kept) + bytes(kept) + frame(DATA, 0, UNKNOWN_STREAM, dropped) + bytes(dropped)
        left -= kept


FRAMES: dict[str, Callable[[], Pieces]] = {
    made.__name__: made
    for made in (
        plain_bytes, rapid_reset, reset_in_two_frames, opened_and_ended, opened_and_left, opened_and_reset_late,
        pings, pongs, farewells, window_updates, empty_frames, unknown_streams, single_bytes, trickle, empty_messages,
        identify_pushes, small_pushes, questions, proposals, circuit_requests, filled_windows, small_pieces,
    )
}  # fmt: skip
"""Attacks within a connection, by name."""

HOLDING = ("filled_windows", "small_pieces")
"""Those that are to fill the victim's memory, by all the connections that there may be."""

HANDSHAKES = "handshakes"
CALLS = "calls"
CONNECTIONS = (HANDSHAKES, CALLS)
"""Attacks by connections that end at once: behind the handshake, or before it."""
