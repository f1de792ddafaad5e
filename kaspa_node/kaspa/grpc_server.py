"""The server for incoming calls, in gRPC's loop: each call is a task there, and needs no thread."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import trio

from kaspa_node.errors import ListenError
from kaspa_node.kaspa import grpc_options, messages
from kaspa_node.kaspa.errors import End, ServerStopped, StreamEnded
from kaspa_node.kaspa.grpc_loop import in_trio, shared
from kaspa_node.kaspa.link import Link

SPARE_CALLS = 32
"""Calls beyond those that become sessions: they get to read why they are refused."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call becomes no session. by_reject: the peer reads it as Kaspa's Reject, not as gRPC's status."""

    reason: str
    by_reject: bool


OnCall = Callable[[str, Link], Refusal | None]
"""In trio: (caller as grpcio names it, its stream) → None, or why it is refused."""


class Server:
    """MessageStream on a unix socket. Each call becomes a Link that is handed to `on_call` in the trio thread."""

    def __init__(self, on_call: OnCall, max_sessions: int, max_message_bytes: int) -> None:
        self._on_call = on_call
        self._max_calls = max_sessions + SPARE_CALLS
        self._max_message_bytes = max_message_bytes
        self._token = trio.lowlevel.current_trio_token()
        self._loop = shared()
        self._server: grpc.aio.Server | None = None
        self._stopped = trio.Event()

    async def start(self, path: str) -> None:
        """Listen on the unix socket `path`; raises ListenError."""
        try:
            # grpcio writes to standard error, in its own format and without the reason in what it raises.
            _try_to_bind(path)
            await self._loop.run(self._start(path))
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            remedy = "check that its directory exists and is ours, and that no other node uses it"
            raise ListenError(path, reason, remedy) from error

    async def run(self) -> None:
        """Until cancelled. Raises ServerStopped if it stops by itself: without it no session can come in."""
        with self._loop.watched(self._stopped.set):
            if self._loop.alive:
                await self._stopped.wait()
            raise ServerStopped

    async def stop(self, grace: float) -> None:
        """Take no more calls, give those that there are `grace` seconds, then cancel them. Can't be cancelled."""
        await self._loop.run(self._stop(grace))

    async def _start(self, path: str) -> None:
        self._server = grpc.aio.server(
            maximum_concurrent_rpcs=self._max_calls,
            options=grpc_options.server(self._max_message_bytes),
            compression=grpc.Compression.Gzip,
        )
        handler = grpc.stream_stream_rpc_method_handler(self._handle)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(grpc_options.SERVICE, {grpc_options.METHOD_NAME: handler}),)
        )
        self._server.add_insecure_port(f"unix:{path}")
        await self._server.start()
        self._loop.start(self._watch(self._server))

    async def _watch(self, server: grpc.aio.Server) -> None:
        await server.wait_for_termination()
        in_trio(self._token, self._stopped.set)

    async def _stop(self, grace: float) -> None:
        if self._server is not None:
            await self._server.stop(grace)
            self._server = None

    async def _handle(self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]) -> None:
        # kaspad's server answers with headers before any message, and its client waits for them.
        await context.send_initial_metadata(())
        task = asyncio.current_task()
        assert task is not None
        link = Link(self._token, self._loop, task.cancel)
        # Not when this function ends: only then grpcio sends how the call ended, and whoever hears of it here may close
        # the connection at once.
        context.add_done_callback(lambda _: link.gone())
        refusal = await self._ask(context.peer(), link)
        if refusal is None:
            await _talk(link, context)
        elif refusal.by_reject:
            await context.write(messages.reject(refusal.reason).SerializeToString())
        else:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, refusal.reason)

    async def _ask(self, caller: str, link: Link) -> Refusal | None:
        """Have the call admitted in trio."""
        answer: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()

        def decide(refusal: Refusal | None) -> None:
            if not answer.done():
                answer.set_result(refusal)

        def ask() -> None:
            self._loop.soon(decide, self._on_call(caller, link))

        if not in_trio(self._token, ask):
            return Refusal("shutting down", by_reject=False)
        return await answer


async def _talk(link: Link, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """Both directions, until ours ends or the call does."""

    async def read() -> bytes | None:
        try:
            data = await context.read()
        except (grpc.aio.InternalError, grpc.aio.AbortError) as error:
            raise StreamEnded(End.RESET) from error
        return None if data is grpc.aio.EOF else bytes(data)

    async def write(data: bytes) -> None:
        try:
            await context.write(data)
        except (grpc.aio.InternalError, grpc.aio.AbortError) as error:
            raise StreamEnded(End.RESET) from error

    reading = asyncio.create_task(link.read_from(read))
    try:
        with suppress(StreamEnded):
            await link.write_to(write)
    finally:
        reading.cancel()


def _try_to_bind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as trial:
        trial.bind(path)
    os.unlink(path)
