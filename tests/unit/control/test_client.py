"""The client, against the real server and against sockets that misbehave."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from kaspa_node.control import client, protocol
from kaspa_node.control.server import serve_control
from kaspa_node.errors import ControlError, RequestFailed

STATUS = {"do": "status"}


@contextmanager
def answering(path: Path, answer: bytes, hold: bool = False) -> Iterator[None]:
    """A socket that reads a line and sends those bytes; hold: and does not close until the end."""
    done = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            try:
                connection.sendall(answer)
            except OSError:
                return
            if hold:
                done.wait(30)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@pytest.mark.trio
async def test_the_answer_comes_without_its_ok(path: Path) -> None:
    async def handler(request: dict[str, Any]) -> Mapping[str, Any]:
        return {"status": request}

    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, path, handler)
        assert await trio.to_thread.run_sync(client.request, path, STATUS, 30) == {"status": STATUS}
        nursery.cancel_scope.cancel()


def test_a_no_is_told_in_the_nodes_own_words(path: Path) -> None:
    with answering(path, b'{"ok":false,"error":"no such\\n remote"}\n'), pytest.raises(RequestFailed) as caught:
        client.request(path, STATUS, 30)
    assert str(caught.value) == "no such  remote"
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "hung up without an answer"),
        (b'{"ok":true', "hung up without an answer"),
        (b"220 ESMTP\r\n", "can't be read"),
        (b"[]\n", "can't be read"),
    ],
)
def test_answers_that_are_none(path: Path, answer: bytes, reason: str) -> None:
    with answering(path, answer), pytest.raises(ControlError, match=reason) as caught:
        client.request(path, STATUS, 30)
    assert str(path) in str(caught.value)


def test_an_answer_without_end_is_not_read_to_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_ANSWER", 100_000)
    with answering(path, b"x" * 1_000_000), pytest.raises(ControlError, match="exceeds 100000 bytes"):
        client.request(path, STATUS, 30)


def test_a_node_that_does_not_answer(path: Path) -> None:
    with answering(path, b'{"ok"', hold=True), pytest.raises(ControlError, match=r"no answer on .* within 0\.05 s"):
        client.request(path, STATUS, 0.05)


def test_nobody_there(path: Path) -> None:
    with pytest.raises(ControlError, match="start the node, or name its socket with --control"):
        client.request(path, STATUS, 30)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match="not running"):
        client.request(path, STATUS, 30)
    with pytest.raises(ControlError, match="too long"):
        client.request("/" + "x" * 200, STATUS, 30)


def test_permission_denied_says_whose_socket_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(ControlError, match="control_group"):
        client.request(path, STATUS, 30)


def test_the_client_needs_the_standard_library_alone() -> None:
    script = (
        "import sys, kaspa_node.control.client; "
        "print(*sorted({'libp2p', 'grpc', 'trio', 'multiaddr', 'google', 'cryptography'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "\n"
