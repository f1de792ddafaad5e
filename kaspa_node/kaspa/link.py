"""A two-way stream of messages between a trio task and the threads in which grpcio's sync API lives.

            trio task                      threads
    send() ──▶ outbox ──▶ outgoing()   iterated by grpcio, which waits for HTTP/2's flow control
    receive() ◀── inbox ◀── read()     iterates grpcio's stream, waits while the inbox is full

Both queues are bounded by bytes. The inbox makes its thread wait, and so, by flow control, the peer. The outbox can't
make a trio task wait in a plain call, so it says `congested` and the task stops reading until it is not: a peer that
asks without reading the answers is itself no longer read.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator

import trio

from kaspa_node.kaspa.errors import StreamEnded

INBOX_LIMIT = 1 << 20
OUTBOX_LIMIT = 1 << 20
_PER_MESSAGE = 128
"""Bytes that a queued message costs beside its own."""


class Outbox:
    """Messages on their way out. Filled by the trio task, emptied by one thread."""

    def __init__(self, on_relief: Callable[[], None]) -> None:
        self._condition = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._closed = False
        self._congested = False
        self._on_relief = on_relief

    @property
    def congested(self) -> bool:
        """Whether more waits than should; turns false, with a call of on_relief, at half of that."""
        return self._congested

    def put(self, data: bytes) -> None:
        """Append a message; dropped when closed."""
        with self._condition:
            if self._closed:
                return
            self._queue.append(data)
            self._bytes += len(data) + _PER_MESSAGE
            self._congested = self._congested or self._bytes > OUTBOX_LIMIT
            self._condition.notify()

    def close(self, *, discard: bool = False) -> None:
        """No more messages; those that wait still go out, unless discarded."""
        with self._condition:
            self._closed = True
            if discard:
                self._queue.clear()
                self._congested = False
            self._condition.notify_all()
        self._on_relief()

    def drain(self) -> Iterator[bytes]:
        """The messages in order, until closed. A message leaves the count when the one after it is asked for."""
        while True:
            with self._condition:
                while not self._queue and not self._closed:
                    self._condition.wait()
                if not self._queue:
                    return
                data = self._queue.popleft()
            yield data
            with self._condition:
                self._bytes -= len(data) + _PER_MESSAGE
                relieved = self._congested and self._bytes <= OUTBOX_LIMIT // 2
                if relieved:
                    self._congested = False
            if relieved:
                self._on_relief()


class Gate:
    """Lets a thread put a bounded number of bytes on its way; one message passes however large it is."""

    def __init__(self, limit: int) -> None:
        self._condition = threading.Condition()
        self._limit = limit
        self._used = 0
        self._closed = False

    def enter(self, size: int) -> bool:
        """Wait for room, take it; false when closed."""
        with self._condition:
            while self._used and self._used + size > self._limit and not self._closed:
                self._condition.wait()
            self._used += size
            return not self._closed

    def leave(self, size: int) -> None:
        """Give room back."""
        with self._condition:
            self._used -= size
            self._condition.notify()

    def close(self) -> None:
        """Let every waiting thread go, and none in."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()


class Link:
    """One stream of messages. Threads call `outgoing` and `read`; all else belongs to the trio task that owns it.

    cancel: ends the call under the stream at once; may be called more than once, and after the call's own end.
    """

    def __init__(self, token: trio.lowlevel.TrioToken, cancel: Callable[[], None]) -> None:
        self._token = token
        self._cancel = cancel
        self._outbox = Outbox(self._on_relief)
        self._gate = Gate(INBOX_LIMIT)
        self._into: trio.MemorySendChannel[bytes]
        self._from: trio.MemoryReceiveChannel[bytes]
        # Unbounded here because the gate in front of it is the bound.
        self._into, self._from = trio.open_memory_channel[bytes](math.inf)
        self._relief = trio.Event()
        self._over = False
        self._gone = trio.Event()
        self._end = "the stream ended"

    @property
    def congested(self) -> bool:
        """Whether the peer reads slower than we answer."""
        return self._outbox.congested and not self._over

    async def relieved(self) -> None:
        """Wait until it is not congested."""
        while self.congested:
            # The thread wakes whatever event it finds when its call runs here, so none is missed.
            self._relief = trio.Event()
            if self.congested:
                await self._relief.wait()

    def send(self, data: bytes) -> None:
        """Put a message on its way; dropped when the stream is over."""
        self._outbox.put(data)

    async def receive(self) -> bytes:
        """The peer's next message; StreamEnded when there is none."""
        try:
            data = await self._from.receive()
        except trio.EndOfChannel:
            raise StreamEnded(self._end) from None
        self._gate.leave(len(data) + _PER_MESSAGE)
        return data

    async def finish(self, linger: float) -> None:
        """Send what waits, end our direction, give the call `linger` seconds to come to its end, then cancel it."""
        self._outbox.close()
        with trio.CancelScope(shield=True), trio.move_on_after(linger):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._discard)
                await self._gone.wait()
                nursery.cancel_scope.cancel()
        self.abort()

    async def _discard(self) -> None:
        """Take in what a peer goes on sending: a call whose messages nobody takes has no end."""
        while not self._over:
            try:
                await self.receive()
            except StreamEnded:
                return

    def refuse(self) -> None:
        """End our direction with nothing sent, and take nothing in."""
        self._outbox.close(discard=True)
        self._gate.close()

    def abort(self) -> None:
        """Drop everything and cancel the call."""
        self.refuse()
        self._cancel()

    def outgoing(self) -> Iterator[bytes]:
        """Thread: the messages to send, until our direction ends."""
        return self._outbox.drain()

    def read(self, incoming: Iterator[bytes]) -> None:
        """Thread: hand over the peer's messages until there are no more; `incoming` ends, or raises StreamEnded."""
        end = "the peer ended the stream"
        try:
            for data in incoming:
                if not self._gate.enter(len(data) + _PER_MESSAGE):
                    end = "closed by this side"
                    break
                if not self._in_trio(self._into.send_nowait, data):
                    return
        except StreamEnded as error:
            end = error.reason
        self._in_trio(self._on_end, end)

    def gone(self) -> None:
        """Thread: the call is over in both directions."""
        self._outbox.close(discard=True)
        self._in_trio(self._gone.set)

    def _on_end(self, reason: str) -> None:
        self._over = True
        self._end = reason
        self._into.close()
        self._relief.set()

    def _on_relief(self) -> None:
        self._in_trio(self._relieve)

    def _relieve(self) -> None:
        self._relief.set()

    def _in_trio(self, call: Callable[..., object], *args: object) -> bool:
        try:
            self._token.run_sync_soon(call, *args)
        except trio.RunFinishedError:
            return False
        return True
