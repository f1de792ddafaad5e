"""yamux: many streams over one connection (hashicorp/yamux spec.md; /yamux/1.0.0 of libp2p).

A frame is a header of 12 bytes (version, type, flags, stream id, length) and, for data, `length` bytes. A stream may
send what its window allows, 256 KiB at first; the receiver gives window back as it is read, and more of it while half
is used up within two round trips.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from kaspa_node.p2p.errors import ProtocolError

PROTOCOL = "/yamux/1.0.0"

INITIAL_WINDOW = 256 * 1024
FIRST_WINDOW = 1024 * 1024
MAX_WINDOW = 16 * 1024 * 1024
MAX_INCOMING_STREAMS = 256
# By how much the windows of one connection may together exceed their first size: what a remote can make us hold.
GROWTH_BUDGET = 64 * 1024 * 1024
# Chunks this small are joined to larger ones.
SMALL_CHUNK = 4 * 1024
# Frames that are handled at once: some milliseconds of work, after which the owner can let other tasks run.
FRAMES_AT_ONCE = 64
# One frame and its header in one Noise message.
MAX_FRAME = 65519 - 12

_HEADER = struct.Struct("!BBHII")
_HEADER_BYTES = _HEADER.size
_DATA, _WINDOW, _PING, _GO_AWAY = range(4)
_SYN, _ACK, _FIN, _RST = 1, 2, 4, 8
_MAX_SEND_WINDOW = 0xFFFFFFFF


class YamuxStream:
    """The state of one stream. Read it freely; change it through `Yamux` only.

    id: odd if the connection's dialer opened it. opened_here: this side opened it.
    readable: bytes received and not yet read. writable: bytes that the remote's window takes.
    eof: the remote sends no more. was_reset: one side has reset the stream. deaf: what arrives is dropped.
    """

    __slots__ = (
        "_chunks", "consumed", "credit", "deaf", "eof", "granted_at", "id", "opened_here",
        "readable", "send_closed", "syn_due", "was_reset", "window", "writable",
    )  # fmt: skip

    def __init__(self, stream_id: int, *, opened_here: bool) -> None:
        self.id = stream_id
        self.opened_here = opened_here
        self.syn_due = opened_here
        self.readable = 0
        self.writable = INITIAL_WINDOW
        self.window = INITIAL_WINDOW
        self.credit = INITIAL_WINDOW
        self.consumed = 0
        self.granted_at = 0.0
        self.eof = False
        self.send_closed = False
        self.was_reset = False
        self.deaf = False
        self._chunks: deque[bytes | bytearray | memoryview] = deque()

    def put(self, chunk: bytes | memoryview) -> None:
        """Append received bytes."""
        self.readable += len(chunk)
        if len(chunk) >= SMALL_CHUNK:
            # A view keeps alive the whole of the buffer that it arrived in: it is copied unless it is most of that.
            is_part = isinstance(chunk, memoryview) and 2 * len(chunk) < len(chunk.obj)  # type: ignore[arg-type]
            self._chunks.append(bytes(chunk) if is_part else chunk)
        elif self._chunks and isinstance(last := self._chunks[-1], bytearray) and len(last) < SMALL_CHUNK:
            last += chunk
        else:
            self._chunks.append(bytearray(chunk))

    def take(self, most: int) -> bytes:
        """Remove and return up to `most` received bytes."""
        if most >= self.readable:
            whole = b"".join(self._chunks)
            self._chunks.clear()
            self.readable = 0
            return whole
        parts: list[bytes | bytearray | memoryview] = []
        left = most
        while left:
            chunk = self._chunks.popleft()
            if len(chunk) > left:
                view = memoryview(chunk)
                self._chunks.appendleft(view[left:])
                chunk = view[:left]
            parts.append(chunk)
            left -= len(chunk)
        self.readable -= most
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Opened:
    """The remote opened `stream`."""

    stream: YamuxStream


@dataclass(frozen=True, slots=True)
class Changed:
    """`stream` has something to read, room to write, or has ended."""

    stream: YamuxStream


@dataclass(frozen=True, slots=True)
class Pong:
    """The remote answered the ping `nonce`."""

    nonce: int


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The remote opens no more streams. code: 0 normal, 1 protocol error, 2 internal error."""

    code: int


Event = Opened | Changed | Pong | GoneAway


class Growth:
    """By how many bytes windows may still grow. left: together, also those of several connections of one peer."""

    __slots__ = ("left",)

    def __init__(self, left: int = GROWTH_BUDGET) -> None:
        self.left = left

    def take(self, wanted: int) -> int:
        """All of `wanted`, or nothing."""
        if wanted > self.left:
            return 0
        self.left -= wanted
        return wanted


class Yamux:
    """One end of a connection. Bytes in by `receive`, bytes out by `take_output`.

    round_trip: seconds, kept up to date by the owner; it decides when a window grows.
    most_incoming: streams that the remote may have open. growth: of the windows beyond their first size.
    incoming: streams that the remote has open; elsewhere: what counts to them, too. frames: received so far.
    """

    def __init__(self, *, initiator: bool) -> None:
        self.streams: dict[int, YamuxStream] = {}
        self.round_trip = 0.1
        self.most_incoming = MAX_INCOMING_STREAMS
        self.growth = Growth()
        self.incoming = 0
        self.elsewhere: Callable[[], int] = int
        self.frames = 0
        self._parity = 1 if initiator else 0
        self._next_id = 1 if initiator else 2
        self._out: list[bytes | memoryview] = []
        self._rest = b""
        self._body_left = 0
        self._body_stream: YamuxStream | None = None
        self._body_flags = 0

    # What goes out

    def take_output(self) -> bytes:
        """Remove and return all frames that wait to be sent."""
        if not self._out:
            return b""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def open(self) -> YamuxStream:
        """A new stream; the remote hears of it with the first write, or with `announce`."""
        stream = YamuxStream(self._next_id, opened_here=True)
        self._next_id += 2
        self.streams[stream.id] = stream
        return stream

    def announce(self, stream: YamuxStream) -> None:
        """Tell the remote of a stream on which nothing was written yet."""
        if stream.syn_due and not stream.was_reset:
            self._control(_WINDOW, self._flags_of(stream), stream.id, 0)

    def write(self, stream: YamuxStream, data: bytes | memoryview) -> int:
        """Queue as much of `data` as the window takes; returns the number of bytes taken."""
        if stream.send_closed or stream.was_reset:
            return 0
        taken = min(len(data), stream.writable)
        stream.writable -= taken
        view = memoryview(data) if taken > MAX_FRAME or taken < len(data) else data
        for start in range(0, taken, MAX_FRAME):
            length = min(MAX_FRAME, taken - start)
            self._out.append(_HEADER.pack(0, _DATA, self._flags_of(stream), stream.id, length))
            self._out.append(view if length == len(view) else view[start : start + length])
        return taken

    def read(self, stream: YamuxStream, most: int, now: float) -> bytes:
        """Up to `most` received bytes (empty: nothing there), giving window back to the remote."""
        data = stream.take(most)
        stream.consumed += len(data)
        if stream.consumed * 2 >= stream.window and not (stream.eof or stream.was_reset):
            self._grant(stream, now)
        return data

    def finish(self, stream: YamuxStream) -> None:
        """Send no more on this stream (half close)."""
        if stream.send_closed or stream.was_reset:
            return
        stream.send_closed = True
        self._control(_WINDOW, self._flags_of(stream) | _FIN, stream.id, 0)
        self._forget_if_over(stream)

    def reset(self, stream: YamuxStream) -> None:
        """Give the stream up, both ways; what was received and not read is dropped."""
        if not stream.was_reset and stream.id in self.streams:
            if not stream.syn_due:
                self._control(_WINDOW, _RST, stream.id, 0)
            stream.was_reset = True
            stream.take(stream.readable)
            self._forget(stream)

    def abandon(self) -> None:
        """The connection has ended: what its windows have grown by is free for others."""
        for stream in list(self.streams.values()):
            self._forget(stream)

    def dismiss(self, stream: YamuxStream) -> None:
        """Drop what was received and not read, and what the remote still sends: its window is not renewed."""
        stream.deaf = True
        stream.take(stream.readable)

    def ping(self, nonce: int) -> None:
        """Ask the remote for a sign of life; a Pong event has the nonce."""
        self._control(_PING, _SYN, 0, nonce)

    def go_away(self, code: int = 0) -> None:
        """Tell the remote that this end is leaving."""
        self._control(_GO_AWAY, 0, 0, code)

    def _control(self, kind: int, flags: int, stream_id: int, value: int) -> None:
        self._out.append(_HEADER.pack(0, kind, flags, stream_id, value))

    def _flags_of(self, stream: YamuxStream) -> int:
        if not stream.syn_due:
            return 0
        stream.syn_due = False
        return _SYN

    def _grant(self, stream: YamuxStream, now: float) -> None:
        extra = 0
        if stream.window < FIRST_WINDOW:
            extra = FIRST_WINDOW - stream.window
        elif stream.window < MAX_WINDOW and now - stream.granted_at < 2 * self.round_trip:
            extra = stream.window
        extra = self.growth.take(extra)
        stream.window += extra
        stream.granted_at = now
        stream.credit += stream.consumed + extra
        self._control(_WINDOW, self._flags_of(stream), stream.id, stream.consumed + extra)
        stream.consumed = 0

    # What comes in

    @property
    def unread(self) -> int:
        """Received bytes that wait to be read, on all streams."""
        return sum(stream.readable for stream in self.streams.values())

    @property
    def waiting(self) -> bool:
        """Whether `receive` has left frames for the next call."""
        return len(self._rest) >= _HEADER_BYTES

    def receive(self, data: bytes) -> list[Event]:
        """Take plaintext; returns what happened. Raises ProtocolError: the connection is lost then.

        Not more than FRAMES_AT_ONCE are taken: while `waiting`, call it again with nothing.
        """
        events: list[Event] = []
        if self._rest:
            data = self._rest + data
            self._rest = b""
        position, size, last = 0, len(data), self.frames + FRAMES_AT_ONCE
        while position < size:
            if self._body_left:
                end = min(size, position + self._body_left)
                self._body(data if position == 0 and end == size else memoryview(data)[position:end], events)
                position = end
                continue
            if size - position < _HEADER_BYTES or self.frames == last:
                self._rest = data[position:]
                break
            version, kind, flags, stream_id, length = _HEADER.unpack_from(data, position)
            position += _HEADER_BYTES
            self.frames += 1
            if version != 0:
                raise ProtocolError(f"yamux version {version}")
            self._frame(kind, flags, stream_id, length, events)
        return events

    def _frame(self, kind: int, flags: int, stream_id: int, length: int, events: list[Event]) -> None:
        if kind == _PING:
            if flags & _SYN:
                self._control(_PING, _ACK, 0, length)
            else:
                events.append(Pong(length))
        elif kind == _GO_AWAY:
            events.append(GoneAway(length))
        elif kind in (_DATA, _WINDOW):
            stream = self.streams.get(stream_id)
            if flags & _SYN:
                stream = self._accept(stream_id, stream, events)
            if kind == _WINDOW:
                if stream is not None:
                    self._window(stream, flags, length, events)
            else:
                self._data(stream, flags, length, events)
        else:
            raise ProtocolError(f"yamux frame type {kind}")

    def _accept(self, stream_id: int, known: YamuxStream | None, events: list[Event]) -> YamuxStream | None:
        if known is not None or stream_id % 2 == self._parity or stream_id == 0:
            raise ProtocolError(f"the remote opened the stream {stream_id}, which it may not")
        if self.incoming + self.elsewhere() >= self.most_incoming:
            self._control(_WINDOW, _RST, stream_id, 0)
            return None
        stream = YamuxStream(stream_id, opened_here=False)
        self.incoming += 1
        self.streams[stream_id] = stream
        # The acknowledgement includes the first growth of the window: no round trip is lost to it.
        extra = self.growth.take(FIRST_WINDOW - INITIAL_WINDOW)
        stream.window += extra
        stream.credit += extra
        self._control(_WINDOW, _ACK, stream_id, extra)
        events.append(Opened(stream))
        return stream

    def _window(self, stream: YamuxStream, flags: int, length: int, events: list[Event]) -> None:
        stream.writable += length
        if stream.writable > _MAX_SEND_WINDOW:
            raise ProtocolError(f"the window of stream {stream.id} overflows")
        self._end(stream, flags)
        if length or flags & (_FIN | _RST):
            events.append(Changed(stream))

    def _data(self, stream: YamuxStream | None, flags: int, length: int, events: list[Event]) -> None:
        if stream is not None:
            if length > stream.credit:
                raise ProtocolError(f"the remote overran the window of stream {stream.id} by {length - stream.credit}")
            if stream.eof and length:
                raise ProtocolError(f"data on stream {stream.id} behind its end")
            stream.credit -= length
        self._body_stream, self._body_left, self._body_flags = stream, length, flags
        if length == 0 and stream is not None and flags & (_FIN | _RST):
            self._end(stream, flags)
            events.append(Changed(stream))

    def _body(self, chunk: bytes | memoryview, events: list[Event]) -> None:
        self._body_left -= len(chunk)
        stream = self._body_stream
        if stream is None or stream.was_reset:
            return
        if not stream.deaf:
            stream.put(chunk)
        if not self._body_left:
            self._end(stream, self._body_flags)
        events.append(Changed(stream))

    def _end(self, stream: YamuxStream, flags: int) -> None:
        if flags & _RST:
            stream.was_reset = True
            self._forget(stream)
        elif flags & _FIN:
            stream.eof = True
            self._forget_if_over(stream)

    def _forget_if_over(self, stream: YamuxStream) -> None:
        if stream.eof and stream.send_closed:
            self._forget(stream)

    def _forget(self, stream: YamuxStream) -> None:
        if self.streams.pop(stream.id, None) is None:
            return
        self.growth.left += stream.window - INITIAL_WINDOW
        if not stream.opened_here:
            self.incoming -= 1
