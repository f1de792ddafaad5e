"""The outgoing call: a channel of its own per peer, in gRPC's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import grpc
import grpc.aio
import trio

from kaspa_node.kaspa import grpc_options
from kaspa_node.kaspa.errors import End, StreamEnded
from kaspa_node.kaspa.grpc_loop import GrpcLoop, shared
from kaspa_node.kaspa.link import Link

_ENDS: Mapping[grpc.StatusCode, End] = {
    grpc.StatusCode.OK: End.ENDED,
    grpc.StatusCode.CANCELLED: End.RESET,
    grpc.StatusCode.UNAVAILABLE: End.UNREACHABLE,
    grpc.StatusCode.PERMISSION_DENIED: End.REFUSED,
    grpc.StatusCode.UNAUTHENTICATED: End.REFUSED,
    grpc.StatusCode.UNIMPLEMENTED: End.NOT_SERVED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: End.OVER_A_LIMIT,
}
"""What a status means. Its text is not shown: it is the peer's, or names a socket of this host."""


def open_stream(target: str, max_message_bytes: int) -> Link:
    """Call MessageStream of the server at `target` (`unix:PATH`); call it in trio.

    Returns at once: if nobody answers, the stream ends. The link's cancel closes the channel too.
    """
    call = _Call(target, max_message_bytes, trio.lowlevel.current_trio_token(), shared())
    call.start()
    return call.link


class _Call:
    def __init__(self, target: str, max_message_bytes: int, token: trio.lowlevel.TrioToken, loop: GrpcLoop) -> None:
        self.link = Link(token, loop, self._cancel)
        self._target = target
        self._max_message_bytes = max_message_bytes
        self._token = token
        self._loop = loop
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if not self._loop.start(self._run()):
            self._token.run_sync_soon(self.link.lost)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        channel = grpc.aio.insecure_channel(
            self._target, options=grpc_options.client(self._max_message_bytes), compression=grpc.Compression.Gzip
        )
        try:
            await self._talk(channel)
        finally:
            await channel.close()
            self.link.gone()

    async def _talk(self, channel: grpc.aio.Channel) -> None:
        # No (de)serializers: bytes become messages in the link, where errors of parsing are the session's.
        call = channel.stream_stream(grpc_options.METHOD)()
        write_failed = False

        def end(code: grpc.StatusCode) -> End:
            # grpcio takes a write that fails for an error of its own, and forgets how the call really ended.
            ours = write_failed and code is grpc.StatusCode.INTERNAL
            return End.RESET if ours else _ENDS.get(code, End.BROKEN)

        async def read() -> bytes | None:
            try:
                data = await call.read()
            except grpc.aio.AioRpcError as error:
                raise StreamEnded(end(error.code())) from error
            except asyncio.CancelledError:
                # grpcio raises it also for a call that the peer has cancelled.
                if _cancelled_here():
                    raise
                raise StreamEnded(End.RESET) from None
            if data is not grpc.aio.EOF:
                return bytes(data)
            code = await call.code()
            if code is not grpc.StatusCode.OK:
                raise StreamEnded(end(code))
            return None

        async def write(data: bytes) -> None:
            nonlocal write_failed
            try:
                await call.write(data)
            except (grpc.aio.AioRpcError, grpc.aio.InternalError, asyncio.InvalidStateError) as error:
                # The call is over; reading says how it ended.
                write_failed = True
                raise StreamEnded(End.RESET) from error
            except asyncio.CancelledError:
                if _cancelled_here():
                    raise
                raise StreamEnded(End.RESET) from None

        reading = asyncio.create_task(self.link.read_from(read))
        try:
            await self.link.write_to(write)
            with suppress(grpc.aio.InternalError):
                await call.done_writing()
            await reading
        except StreamEnded:
            await reading
        finally:
            reading.cancel()


def _cancelled_here() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
