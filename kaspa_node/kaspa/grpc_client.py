"""The outgoing call: a channel of its own per peer, read in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import trio

from kaspa_node.kaspa import grpc_options
from kaspa_node.kaspa.errors import StreamEnded
from kaspa_node.kaspa.link import Link


def open_stream(target: str, max_message_bytes: int) -> Link:
    """Call MessageStream of the server at `target` (`unix:PATH`); call it in trio.

    Returns at once: that nobody answers shows as the end of the stream. The link's cancel closes the channel too.
    """
    channel = grpc.insecure_channel(
        target, options=grpc_options.client(max_message_bytes), compression=grpc.Compression.Gzip
    )
    token = trio.lowlevel.current_trio_token()
    link = Link(token, channel.close)
    # No (de)serializers: bytes become messages in the trio task, where errors of parsing are the session's.
    call = channel.stream_stream(grpc_options.METHOD)(link.outgoing())
    call.add_done_callback(lambda _: link.gone())
    threading.Thread(target=link.read, args=(_messages(call),), name=f"kaspa-read {target}", daemon=True).start()
    return link


def _messages(call: grpc.Call) -> Iterator[bytes]:
    try:
        yield from call
    except grpc.RpcError as error:
        raise StreamEnded(_sentence(error)) from error


def _sentence(error: grpc.RpcError) -> str:
    details = " ".join((error.details() or "no details").split())
    return f"gRPC {error.code().name}: {details}"
