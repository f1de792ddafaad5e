"""A libp2p stream spliced to a local socket, as bytes: the seam between libp2p and whatever speaks Kaspa's gRPC.

grpcio takes no custom transport. So the embedded Kaspa peer serves and dials unix sockets, and here the bytes of such
a socket become those of a stream. Nothing is added to them: HTTP/2 runs from end to end.
"""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

import trio

from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import P2PError

CHUNK = 256 * 1024
ACCEPT_SECONDS = 10.0
# gRPC never half-closes its connection: a local end that stops sending is gone, and so is a remote one.
GRACE_SECONDS = 5.0


IN_ORDER = "ended in order"


async def splice(local: trio.SocketStream, stream: Stream) -> str:
    """Copy bytes in both directions until both ends are done. An error at one end ends both.

    Returns why it ended: IN_ORDER, or which end broke off.
    """
    whole = False
    problems: list[str] = []
    try:
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            nursery.start_soon(_watch, stream, scope, problems)
            async with trio.open_nursery() as ways:
                ways.start_soon(_outward, local, stream, scope, problems)
                ways.start_soon(_inward, local, stream, scope, problems)
            # Both directions may notice the lost local end at the same moment. Then nothing is left to cancel.
            whole = not problems
            scope.cancel()
    finally:
        if not whole:
            stream.reset()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
            await local.aclose()
    if whole:
        return IN_ORDER
    return problems[0] if problems else f"one end was done, the other went on for {GRACE_SECONDS:.0f} s"


async def _watch(stream: Stream, scope: trio.CancelScope, problems: list[str]) -> None:
    """End a splice whose stream was reset while the local end neither reads nor ends. Nothing else would notice."""
    await stream.given_up()
    # Bytes that arrived before are still delivered if possible.
    await trio.sleep(GRACE_SECONDS)
    problems.append("the stream was reset")
    scope.cancel()


async def _outward(local: trio.SocketStream, stream: Stream, scope: trio.CancelScope, problems: list[str]) -> None:
    try:
        while data := await local.receive_some(CHUNK):
            await stream.write(data)
    except P2PError as error:
        problems.append(str(error))
        scope.cancel()
        return
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        problems.append("broken off by the local program")
        scope.cancel()
        return
    stream.close()
    scope.deadline = min(scope.deadline, trio.current_time() + GRACE_SECONDS)


async def _inward(local: trio.SocketStream, stream: Stream, scope: trio.CancelScope, problems: list[str]) -> None:
    try:
        while data := await stream.read(CHUNK):
            await local.send_all(data)
        await local.send_eof()
    except P2PError as error:
        problems.append(str(error))
        scope.cancel()
        return
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        problems.append("broken off by the local program")
        scope.cancel()
        return
    scope.deadline = min(scope.deadline, trio.current_time() + GRACE_SECONDS)


async def deliver(stream: Stream, server: Path, name: str) -> None:
    """Splice an incoming stream to the server on the unix socket `server`.

    name: the abstract socket name to connect from; by it the server knows the caller. Raises OSError if the server
    can't be reached.
    """
    raw = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected = False
    try:
        await raw.bind("\0" + name)
        await raw.connect(os.fspath(server))
        connected = True
    finally:
        if not connected:
            raw.close()
            stream.reset()
    await splice(trio.SocketStream(raw), stream)


class Offer:
    """A unix socket in `directory` whose first caller is spliced to a stream. The directory must be the owner's only.

    target: what a gRPC client dials. Use `run` in a task of its own; it ends with the splice.
    """

    def __init__(self, directory: Path, stream: Stream) -> None:
        self._stream = stream
        self._path = directory / f"dial-{secrets.token_hex(8)}.sock"
        self._listener = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.target = f"unix:{self._path}"

    async def open(self) -> None:
        """Start to listen. Raises OSError; the stream is reset then."""
        listening = False
        try:
            await self._listener.bind(os.fspath(self._path))
            self._path.chmod(0o600)
            self._listener.listen(1)
            listening = True
        finally:
            if not listening:
                self._listener.close()
                self._stream.reset()

    async def run(self) -> None:
        """Wait for the caller, then splice it."""
        caller: trio.socket.SocketType | None = None
        try:
            with self._listener, trio.move_on_after(ACCEPT_SECONDS):
                caller, _ = await self._listener.accept()
        finally:
            self._path.unlink(missing_ok=True)
            if caller is None:
                self._stream.reset()
        if caller is not None:
            await splice(trio.SocketStream(caller), self._stream)
