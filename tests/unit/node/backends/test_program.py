"""What is known of an external backend, and how often the log hears of it."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from kaspa_node.node.backends import local_sockets
from kaspa_node.node.backends import program as program_module
from kaspa_node.node.backends.program import ExternalProgram
from kaspa_node.settings.values import LocalAddress
from tests.unit.kaspa.shells import RecordingJournal

pytestmark = pytest.mark.trio


def told(journal: RecordingJournal) -> list[str]:
    return [name for name, _ in journal.milestones]


async def test_only_a_change_makes_a_line() -> None:
    with tempfile.TemporaryDirectory(prefix="kn") as directory:
        path = Path(directory) / "b.sock"
        journal = RecordingJournal()
        backend = ExternalProgram(LocalAddress(path=path), journal)
        assert (backend.status()["state"], backend.status()["checked"]) == ("unknown", None)
        for _ in range(2):
            with pytest.raises(OSError, match="No such file"):
                await backend.connect()
        assert (backend.state, backend.reason) == ("refusing", "No such file or directory")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            listener.listen()
            for _ in range(2):
                async with await backend.connect():
                    assert backend.status()["address"] == f"unix:{path}"
        assert (backend.state, backend.reason) == ("up", None)
        assert told(journal) == ["backend.refused", "backend.connected"]


async def test_a_backend_that_does_not_answer_is_given_up(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(address: LocalAddress) -> trio.SocketStream:
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(local_sockets, "connect", hang)
    backend = ExternalProgram(LocalAddress(host="192.0.2.7", port=1), RecordingJournal())
    with pytest.raises(OSError, match="no answer within 5 s"):
        await backend.connect()
    assert trio.current_time() == pytest.approx(program_module.CONNECT_SECONDS)
    assert backend.reason == "no answer within 5 s"


async def test_a_backend_without_an_address_refuses() -> None:
    backend = ExternalProgram(None, RecordingJournal())
    with pytest.raises(OSError, match="`backend_address` is not set"):
        await backend.connect()
    assert backend.status()["address"] is None
