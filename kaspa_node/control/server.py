"""Serves the control socket: each connection one request, any number at a time, each with its limits."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import trio

from kaspa_node.control import protocol
from kaspa_node.control.endpoint import hung_up, listening
from kaspa_node.errors import EXIT_FAILED, KaspaNodeError, LayerError, first_error, shown

Handler = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]
"""Gets a request, returns the fields of its answer except `ok`.

A KaspaNodeError becomes the answer's `error`, and its exit code the answer's `code`.
"""

DEFECTS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError, OSError, RuntimeError, TypeError),
    *(ValueError, LayerError),
    *(trio.BrokenResourceError, trio.BusyResourceError, trio.ClosedResourceError, trio.EndOfChannel),
    *(trio.TooSlowError, trio.WouldBlock),
)
"""What a handler may raise only by mistake, and what concerns nobody but its request: the node lives on.

Not here: what says that the process itself can't go on, such as MemoryError and trio.TrioInternalError.
"""

MAX_CONNECTIONS = 64
WRITE_TIMEOUT = 5.0
"""Seconds in which a client must have read its answer."""

_CHUNK = 4096
_log = logging.getLogger(__name__)


class ReportsPath(Protocol):
    """The part of trio.TaskStatus that is used here.

    That class itself can't be used: libp2p requires trio-typing, whose stubs hide it from type checkers.
    """

    def started(self, value: Path, /) -> None:
        """Report the path to the caller of `nursery.start`."""


async def serve_control(
    path: Path,
    handler: Handler,
    *,
    group: str = "",
    task_status: ReportsPath = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer requests on a unix socket until cancelled; reports the path once it listens.

    If a client disconnects, or sends more after its request, the request is cancelled. One of DEFECTS in a handler is
    logged with its traceback and answered as an internal error: no request ends the program. Raises AlreadyRunning,
    ListenError, ConfigError before it listens.
    """
    with listening(path, group) as raw:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(raw))
        task_status.started(path)
        await trio.serve_listeners(partial(_serve, handler, trio.CapacityLimiter(MAX_CONNECTIONS)), [listener])


async def _serve(handler: Handler, slots: trio.CapacityLimiter, stream: trio.SocketStream) -> None:
    async with stream:
        try:
            slots.acquire_nowait()
        except trio.WouldBlock:
            await _send(stream, protocol.encode(_refusal("too many requests at once; try again")))
            return
        try:
            answer = await _answer(handler, stream)
            if answer is not None:
                await _send(stream, answer)
        finally:
            slots.release()


async def _answer(handler: Handler, stream: trio.SocketStream) -> bytes | None:
    """The line to send back; None if the client is gone."""
    try:
        with trio.fail_after(protocol.READ_TIMEOUT):
            line = await _read_line(stream)
        request = protocol.decode(line) if line else None
    except trio.TooSlowError:
        return protocol.encode(_refusal(f"no whole request within {protocol.READ_TIMEOUT:g} s"))
    except trio.BrokenResourceError:
        return None
    except protocol.BadMessage as error:
        return protocol.encode(_refusal(f"bad request: {error}"))
    return None if request is None else await _handled(handler, stream, request)


async def _handled(handler: Handler, stream: trio.SocketStream, request: dict[str, Any]) -> bytes | None:
    answer: bytes | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, stream, nursery.cancel_scope)
        try:
            answer = protocol.encode({"ok": True, **await handler(request)})
        except* KaspaNodeError as group:
            error = first_error(group)
            answer = protocol.encode(_refusal(str(error)) | {"code": error.exit_code})
        except* DEFECTS as group:
            what = shown(request.get("do"))
            _log.error("internal error while answering the control request %s", what, exc_info=group)
            reason = f"internal error while answering {what}; the node's log has the details, please report it"
            answer = protocol.encode(_refusal(reason) | {"code": EXIT_FAILED})
        nursery.cancel_scope.cancel()
    return answer


async def _watch(stream: trio.SocketStream, request: trio.CancelScope) -> None:
    """Cancel the request once its client is gone."""
    try:
        more = await stream.receive_some(_CHUNK)
    except trio.BrokenResourceError:
        more = b""
    # `nc -N` and similar programs close their sending half and wait for the answer: they are not gone. If such a
    # client leaves later, its request still runs to its end, and nobody reads the answer.
    if more or hung_up(stream.socket.fileno()):
        request.cancel()


async def _read_line(stream: trio.SocketStream) -> bytes:
    """One line; empty if the client left before the line was complete. Raises BadMessage if there is no line."""
    line = bytearray()
    while b"\n" not in line:
        chunk = await stream.receive_some(_CHUNK)
        if not chunk:
            return b""
        line += chunk
        if len(line) > protocol.MAX_REQUEST:
            raise protocol.BadMessage(f"the line exceeds {protocol.MAX_REQUEST} bytes")
    request, _, rest = line.partition(b"\n")
    if rest:
        raise protocol.BadMessage("more than one line")
    return bytes(request) + b"\n"


async def _send(stream: trio.SocketStream, line: bytes) -> None:
    with trio.move_on_after(WRITE_TIMEOUT):
        try:
            await stream.send_all(line)
        except trio.BrokenResourceError:
            return


def _refusal(reason: str) -> dict[str, Any]:
    return {"ok": False, "error": reason}
