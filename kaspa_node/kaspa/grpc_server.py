"""The server for incoming calls: grpcio's own threads write, one thread per call reads."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import trio

from kaspa_node.errors import ListenError
from kaspa_node.kaspa import grpc_options
from kaspa_node.kaspa.errors import StreamEnded
from kaspa_node.kaspa.link import Link

OnCall = Callable[[str, Link], str | None]
"""In trio: (caller as grpcio names it, its stream) → None, or why it is refused."""

_CANCELLING = 1.0
"""Seconds that cancelled calls get to end."""


class Server:
    """MessageStream on a unix socket. Each call becomes a Link that is handed to `on_call` in the trio thread."""

    def __init__(self, on_call: OnCall, max_calls: int, max_message_bytes: int) -> None:
        self._on_call = on_call
        self._token = trio.lowlevel.current_trio_token()
        # One thread per call for as long as it lasts, and grpcio refuses further calls itself, so that none ever waits
        # for a thread: a silent peer delays nobody.
        self._pool = ThreadPoolExecutor(max_workers=max_calls, thread_name_prefix="kaspa-write")
        self._server = grpc.server(
            self._pool,
            maximum_concurrent_rpcs=max_calls,
            options=grpc_options.server(max_message_bytes),
            compression=grpc.Compression.Gzip,
        )
        handler = grpc.stream_stream_rpc_method_handler(self._handle)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(grpc_options.SERVICE, {grpc_options.METHOD_NAME: handler}),)
        )

    def start(self, path: str) -> None:
        """Listen on the unix socket `path`; ListenError when that can't be."""
        try:
            # grpcio writes to standard error, in its own format and without the reason in what it raises.
            _try_to_bind(path)
            self._server.add_insecure_port(f"unix:{path}")
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            remedy = "check that its directory exists and is ours, and that no other node uses it"
            raise ListenError(path, reason, remedy) from error
        self._server.start()

    async def stop(self, grace: float) -> None:
        """Take no more calls, give those that there are `grace` seconds, then cancel them. Can't be cancelled."""
        stopped: threading.Event = self._server.stop(grace)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(stopped.wait, grace + _CANCELLING)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _handle(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        # kaspad's server answers with headers before any message, and its client waits for them.
        context.send_initial_metadata(())
        link = Link(self._token, context.cancel)
        if not context.add_callback(link.gone):
            return
        refusal: list[str] = []
        try:
            self._token.run_sync_soon(self._admit, context.peer(), link, refusal)
        except trio.RunFinishedError:
            context.abort(grpc.StatusCode.UNAVAILABLE, "shutting down")
        threading.Thread(target=link.read, args=(_messages(requests),), name="kaspa-read", daemon=True).start()
        yield from link.outgoing()
        if refusal:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, refusal[0])

    def _admit(self, caller: str, link: Link, refusal: list[str]) -> None:
        reason = self._on_call(caller, link)
        if reason is not None:
            refusal.append(reason)
            link.refuse()


def _try_to_bind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as trial:
        trial.bind(path)
    os.unlink(path)


def _messages(requests: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from requests
    except grpc.RpcError as error:
        # On the server grpcio says no more than that the call is over.
        raise StreamEnded("the peer reset the stream, or its connection is gone") from error
