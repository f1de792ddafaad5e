"""A two-way stream of messages between a trio task and the asyncio loop in which grpcio lives.

            trio task                    gRPC's loop
    send()    ──▶ outbox ──▶ write_to()    waits for HTTP/2's flow control
    receive() ◀── inbox  ◀── read_from()   reads, checks and parses; waits while the inbox is full

Both queues are bounded by bytes. The inbox makes its reader wait, and so, by flow control, the peer. The outbox can't
make a trio task wait in a plain call, so it says `congested` and the task stops reading until it is not: a peer that
asks without reading the answers is itself no longer read.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from kaspa_node.kaspa.errors import End, ProtocolError, StreamEnded
from kaspa_node.kaspa.grpc_loop import GrpcLoop, in_trio
from kaspa_node.kaspa.intake import Intake
from kaspa_node.kaspa.messages import Incoming

INBOX_LIMIT = 1 << 20
OUTBOX_LIMIT = 1 << 20
_PER_MESSAGE = 128
"""Bytes that a queued message costs beside its own."""

Read = Callable[[], Awaitable[bytes | None]]
"""The peer's next message as it came, None at the end of its direction; raises StreamEnded."""

Write = Callable[[bytes], Awaitable[None]]
"""Sends a message; raises StreamEnded."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message of the peer. size: bytes, packed as it came."""

    message: Incoming
    size: int


class Link:
    """One stream of messages. `read_from`, `write_to` and `gone` belong to gRPC's loop, all else to the trio task.

    cancel: ends the call under the stream at once, called in gRPC's loop; may be called more than once, and after the
    call's own end.
    """

    def __init__(self, token: trio.lowlevel.TrioToken, loop: GrpcLoop, cancel: Callable[[], object]) -> None:
        self._token = token
        self._loop = loop
        self._cancel = cancel
        # Of the trio task.
        self._waiting = 0
        self._congested = False
        self._closed = False
        self._over = False
        self._end = End.ENDED
        self._relief = trio.Event()
        self._gone = trio.Event()
        self._into: trio.MemorySendChannel[Arrival | ProtocolError]
        self._from: trio.MemoryReceiveChannel[Arrival | ProtocolError]
        # Unbounded here because the reader in gRPC's loop keeps the bound.
        self._into, self._from = trio.open_memory_channel[Arrival | ProtocolError](math.inf)
        # Of gRPC's loop.
        self._outgoing: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._unread = 0
        self._room = asyncio.Event()
        self._refused = False

    # In trio

    @property
    def congested(self) -> bool:
        """Whether the peer reads slower than we answer; turns false at half of the limit."""
        return self._congested and not self._over

    async def relieved(self) -> None:
        """Wait until it is not congested."""
        while self.congested:
            self._relief = trio.Event()
            await self._relief.wait()

    def send(self, data: bytes) -> None:
        """Put a message on its way; dropped when the stream is over."""
        if self._closed or self._gone.is_set():
            return
        self._waiting += len(data) + _PER_MESSAGE
        self._congested = self._congested or self._waiting > OUTBOX_LIMIT
        self._loop.soon(self._outgoing.put_nowait, data)

    async def receive(self) -> Arrival:
        """The peer's next message; raises StreamEnded if there is none, ProtocolError if it is unfit."""
        try:
            arrival = await self._from.receive()
        except trio.EndOfChannel:
            raise StreamEnded(self._end) from None
        if isinstance(arrival, ProtocolError):
            raise arrival
        self._loop.soon(self._leave, arrival.size + _PER_MESSAGE)
        return arrival

    async def finish(self, linger: float) -> None:
        """Send what waits, end our direction, give the call `linger` seconds to come to its end, then cancel it."""
        self._close()
        with trio.CancelScope(shield=True), trio.move_on_after(linger):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._discard)
                await self._gone.wait()
                nursery.cancel_scope.cancel()
        self.abort()

    def abort(self) -> None:
        """Drop everything and cancel the call."""
        self._close()
        self._loop.soon(self._drop)

    def lost(self) -> None:
        """There is no call, and there is never going to be one."""
        self._on_end(End.UNREACHABLE)
        self._on_gone()

    def _on_gone(self) -> None:
        """The call is over in both directions."""
        # It may have been over before anybody read from it.
        self._on_end(End.RESET)
        self._waiting, self._congested = 0, False
        self._relief.set()
        self._gone.set()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.soon(self._outgoing.put_nowait, None)

    async def _discard(self) -> None:
        """Read what a peer continues to send: a call with unread messages never ends."""
        while not self._over:
            try:
                await self.receive()
            except (StreamEnded, ProtocolError):
                return

    def _on_arrival(self, arrival: Arrival | ProtocolError) -> None:
        if not self._over:
            self._into.send_nowait(arrival)

    def _on_written(self, size: int) -> None:
        self._waiting -= size
        if self._congested and self._waiting <= OUTBOX_LIMIT // 2:
            self._congested = False
            self._relief.set()

    def _on_end(self, end: End) -> None:
        if self._over:
            return
        self._over = True
        self._end = end
        self._into.close()
        self._relief.set()

    # In gRPC's loop

    async def write_to(self, write: Write) -> None:
        """Send the messages in order, until our direction ends."""
        while (data := await self._outgoing.get()) is not None:
            await write(data)
            self._tell(self._on_written, len(data) + _PER_MESSAGE)

    async def read_from(self, read: Read) -> None:
        """Hand over the peer's messages until there are no more, or one is unfit."""
        intake, end = Intake(), End.RESET
        try:
            while not self._refused and (data := await read()) is not None:
                arrival = Arrival(intake.take(data), len(data))
                await self._enter(len(data) + _PER_MESSAGE)
                self._tell(self._on_arrival, arrival)
            end = End.CLOSED_HERE if self._refused else End.ENDED
        except ProtocolError as error:
            self._tell(self._on_arrival, error)
            end = End.CLOSED_HERE
        except StreamEnded as error:
            end = error.end
        finally:
            self._tell(self._on_end, end)

    def gone(self) -> None:
        """The call is over in both directions."""
        self._tell(self._on_gone)

    async def _enter(self, size: int) -> None:
        """Wait for room in the inbox. One message passes however large it is."""
        while self._unread and self._unread + size > INBOX_LIMIT and not self._refused:
            self._room.clear()
            await self._room.wait()
        self._unread += size

    def _leave(self, size: int) -> None:
        self._unread -= size
        self._room.set()

    def _drop(self) -> None:
        self._refused = True
        self._room.set()
        self._cancel()

    def _tell(self, call: Callable[..., object], *args: object) -> None:
        in_trio(self._token, call, *args)
