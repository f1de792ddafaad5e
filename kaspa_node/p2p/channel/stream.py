"""One stream of a connection, as the code above sees it: read, write, close, reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kaspa_node.p2p.channel.negotiate import Proposer
from kaspa_node.p2p.channel.yamux import YamuxStream
from kaspa_node.p2p.errors import ConnectionLost, NegotiationError, StreamReset

if TYPE_CHECKING:
    from kaspa_node.p2p.channel.connection import Connection

# At most this much of one write is framed and sealed before the task gives others a turn.
WRITE_STEP = 256 * 1024


class Stream:
    """A stream. One task may read while another writes.

    connection: the one under it. protocol: the agreed id, or the one that was proposed. remote: the peer's id.
    first_byte_at: when the first byte of the remote arrived here (trio's clock), or None; heard is set then.
    """

    def __init__(self, connection: Connection, state: YamuxStream) -> None:
        self.connection = connection
        self.remote = connection.remote
        self.protocol = ""
        self.bytes_sent = 0
        self.bytes_received = 0
        self.first_byte_at: float | None = None
        self.heard = trio.Event()
        self._state = state
        self._changed = trio.lowlevel.ParkingLot()
        self._proposal = b""
        self._proposer: Proposer | None = None
        self._ahead = b""

    @property
    def name(self) -> str:
        """`<connection id>.<stream id>`: the same text on both ends of the stream."""
        return f"{self.connection.id}.{self._state.id}"

    def propose(self, protocol: str) -> None:
        """Agree on `protocol` without waiting: the proposal leaves with the first data, a refusal shows at a read."""
        self._proposer = Proposer([protocol])
        self._proposal = self._proposer.opening()
        self.protocol = protocol

    async def write(self, data: bytes | memoryview) -> None:
        """Send all of `data`, waiting for window and pipe. Raises StreamReset, ConnectionLost."""
        if self._proposal:
            data = self._proposal + bytes(data)
            self._proposal = b""
        view = memoryview(data)
        mux, connection = self.connection.mux, self.connection
        while True:
            self._check_writable()
            if connection.congested:
                await connection.wait_drained()
                continue
            taken = mux.write(self._state, view[:WRITE_STEP])
            self.bytes_sent += taken
            connection.flush()
            view = view[taken:]
            if not view:
                break
            if not taken:
                await self._changed.park()
            else:
                await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()

    def try_write(self, data: bytes | memoryview) -> int:
        """Send what goes out without waiting; returns the number of bytes taken. Raises StreamReset, ConnectionLost."""
        self._check_writable()
        if self.connection.congested:
            return 0
        taken = self.connection.mux.write(self._state, memoryview(data)[:WRITE_STEP])
        self.bytes_sent += taken
        self.connection.flush()
        return taken

    async def wait_writable(self) -> None:
        """Return once `try_write` may take something. Raises StreamReset, ConnectionLost."""
        while True:
            self._check_writable()
            if self.connection.congested:
                await self.connection.wait_drained()
            elif self._state.writable:
                return
            else:
                await self._changed.park()

    def _check_writable(self) -> None:
        self.connection.check()
        if self._state.was_reset or self._state.send_closed:
            raise StreamReset("the stream was reset" if self._state.was_reset else "the stream is closed for writing")

    async def read(self, most: int = 1 << 16) -> bytes:
        """Up to `most` bytes; empty when the remote has ended its side.

        Raises StreamReset, ConnectionLost, and NegotiationError if the remote refused the proposed protocol.
        """
        while self._proposer is not None:
            await self._confirm(self._proposer)
        if self._ahead:
            data, self._ahead = self._ahead[:most], self._ahead[most:]
        else:
            await self._fill()
            data = self.connection.mux.read(self._state, most, trio.current_time())
            self.connection.flush()
        self.bytes_received += len(data)
        return data

    def unread(self, data: bytes) -> None:
        """Put back what was read too far: the next read gives it first, and counts it."""
        self.bytes_received -= len(data)
        self._ahead = data + self._ahead

    async def read_exactly(self, count: int) -> bytes:
        """`count` bytes. Raises StreamReset also if the stream ends before."""
        data = b""
        while len(data) < count:
            more = await self.read(count - len(data))
            if not more:
                raise StreamReset(f"the stream ended after {len(data)} of {count} bytes")
            data += more
        return data

    async def _confirm(self, proposer: Proposer) -> None:
        await self.flush_proposal()
        await self._fill()
        data = self.connection.mux.read(self._state, 1 << 16, trio.current_time())
        if not data:
            raise StreamReset("the stream ended during the negotiation")
        try:
            proposer.receive(data)
        except NegotiationError:
            self.reset()
            raise
        if proposer.agreed is not None and self._proposer is proposer:
            self._proposer = None
            self._ahead = proposer.rest()

    async def flush_proposal(self) -> None:
        """Announce the stream to the remote if nothing was written yet."""
        if self._proposal:
            await self.write(b"")
        elif self._state.syn_due:
            self.connection.mux.announce(self._state)
            self.connection.flush()

    async def _fill(self) -> None:
        """Return once there is something to read, or the remote has ended."""
        state = self._state
        if state.readable or state.eof:
            await trio.lowlevel.checkpoint_if_cancelled()
        while not state.readable:
            if state.was_reset:
                raise StreamReset("the stream was reset")
            if state.eof:
                return
            self.connection.check()
            await self._changed.park()

    def close(self) -> None:
        """Send no more; what the remote still sends can be read."""
        if not self.connection.closed.is_set():
            if self._proposal:
                self.connection.mux.write(self._state, self._proposal)
                self._proposal = b""
            self.connection.mux.finish(self._state)
            self.connection.flush()
            self.connection.forget_if_over(self._state)

    def dismiss(self) -> None:
        """Send no more, and drop what the remote still sends: its part in this is over."""
        self._ahead = b""
        self.connection.mux.dismiss(self._state)
        self.close()

    def reset(self) -> None:
        """Give the stream up both ways; idempotent."""
        if not self.connection.closed.is_set():
            self.connection.mux.reset(self._state)
            self.connection.flush()
            self.connection.forget_if_over(self._state)
        self.wake()

    async def given_up(self) -> None:
        """Return once the stream was reset, by either side or with its connection."""
        while not (self._state.was_reset or self.connection.closed.is_set()):
            await self._changed.park()

    def wake(self) -> None:
        """Called by the connection: something changed."""
        if self.first_byte_at is None and self._state.readable:
            self.first_byte_at = trio.current_time()
            self.heard.set()
        self._changed.unpark_all()

    def lose(self) -> None:
        """Called by the connection: it has ended, and what was on the way is lost."""
        self._state.was_reset = True
        self.wake()


class StreamPipe:
    """A stream as the pipe under another connection: the end-to-end channel of a circuit runs over it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def receive(self) -> bytes:
        """Some bytes; empty once the remote has ended."""
        try:
            return await self._stream.read()
        except StreamReset as error:
            raise ConnectionLost(f"the circuit was broken off ({error})") from error

    def try_send(self, data: bytes | memoryview) -> int:
        """Send what goes out without waiting."""
        try:
            return self._stream.try_write(data)
        except StreamReset as error:
            raise ConnectionLost(f"the circuit was broken off ({error})") from error

    async def wait_writable(self) -> None:
        """Return once the stream takes more."""
        try:
            await self._stream.wait_writable()
        except StreamReset as error:
            raise ConnectionLost(f"the circuit was broken off ({error})") from error

    def abort(self) -> None:
        """Reset the stream."""
        self._stream.reset()
