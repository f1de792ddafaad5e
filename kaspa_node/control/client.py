"""Asks a running node; needs only the standard library."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kaspa_node.control import protocol
from kaspa_node.errors import EXIT_BAD_INPUT, ControlError, RequestFailed, RequestRefused, one_line

_CHUNK = 65536


def request(path: str | Path, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """The node's answer to a request, without its `ok`.

    path: of the control socket. payload: such as {"do": "status"}. timeout: seconds for all of it.
    Raises RequestFailed with the node's own message if the node refuses (RequestRefused if the reason is its input),
    and ControlError if the node can't be asked.
    """
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(protocol.encode(payload))
            line = _read_line(connection, path, deadline)
        except TimeoutError as error:
            message = f"no answer on {path} within {timeout:g} s; see the node's log, or allow more with --timeout"
            raise ControlError(message) from error
        except OSError as error:
            raise ControlError(_why(path, error)) from error
    try:
        answer = protocol.decode(line)
    except protocol.BadMessage as error:
        raise ControlError(f"the answer on {path} can't be read ({error}); is it a kaspa-node's socket?") from error
    if answer.pop("ok", False) is not True:
        kind = RequestRefused if answer.get("code") == EXIT_BAD_INPUT else RequestFailed
        raise kind(one_line(str(answer.get("error", "the node gives no reason"))))
    return answer


def _read_line(connection: socket.socket, path: str | Path, deadline: float) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        chunk = connection.recv(_CHUNK)
        if not chunk:
            raise ControlError(f"the node on {path} hung up without an answer; see its log, it may be stopping")
        line += chunk
        if len(line) > protocol.MAX_ANSWER:
            raise ControlError(
                f"the answer on {path} exceeds {protocol.MAX_ANSWER} bytes; is it a kaspa-node's socket?"
            )
    return bytes(line)


def _why(path: str | Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"no control socket at {path}: start the node, or name its socket with --control"
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE):
        return f"no node answers on {path}: it is not running, or just stopping; see its service's log"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"permission denied on {path}: use the node's user, its `control_group`, or sudo"
    return f"the control socket {path} can't be used: {one_line(str(error.strerror or error)).lower()}"
