"""yamux frames by hand, and two ends joined."""

from __future__ import annotations

import struct

from kaspa_node.p2p.channel.yamux import Event, Opened, Yamux, YamuxStream

DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8


def frame(kind: int, flags: int, stream: int, length: int, body: bytes = b"") -> bytes:
    """A frame as hashicorp's specification draws it."""
    return struct.pack("!BBHII", 0, kind, flags, stream, length) + body


def frames(wire: bytes) -> list[tuple[int, int, int, int, bytes]]:
    """(type, flags, stream, length, body) of each frame."""
    found = []
    while wire:
        _, kind, flags, stream, length = struct.unpack_from("!BBHII", wire)
        body = wire[12 : 12 + length] if kind == DATA else b""
        found.append((kind, flags, stream, length, body))
        wire = wire[12 + len(body) :]
    return found


def pair() -> tuple[Yamux, Yamux]:
    """The dialer's end and the listener's."""
    return Yamux(initiator=True), Yamux(initiator=False)


def carry(source: Yamux, sink: Yamux) -> list[Event]:
    """Bring over what waits; returns what happened there."""
    return sink.receive(source.take_output())


def opened(events: list[Event]) -> YamuxStream:
    """The one stream that was opened."""
    (stream,) = [event.stream for event in events if isinstance(event, Opened)]
    return stream


def joined(first: bytes = b"hello") -> tuple[Yamux, Yamux, YamuxStream, YamuxStream]:
    """Two ends with one stream from the dialer, on which `first` was sent and read."""
    dialer, listener = pair()
    ours = dialer.open()
    dialer.write(ours, first)
    theirs = opened(carry(dialer, listener))
    assert listener.read(theirs, len(first), 0.0) == first
    carry(listener, dialer)
    return dialer, listener, ours, theirs
