"""What systemd is told, over a socket like its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from kaspa_node.service_manager import FEEDS, ServiceManager
from tests.unit.kaspa.shells import RecordingJournal


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket, and its name as NOTIFY_SOCKET has it."""
    shown = str(tmp_path / "notify") if request.param == "path" else f"@kaspa-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(shown if request.param == "path" else f"\0{shown[1:]}")
        listener.setblocking(False)
        yield listener, shown


def told(listener: socket.socket) -> list[str]:
    """What came since the last time."""
    found = []
    while True:
        try:
            found.append(listener.recv(100).decode())
        except BlockingIOError:
            return found


@pytest.mark.trio
async def test_ready_then_alive_then_stopping(
    systemd: tuple[socket.socket, str], autojump_clock: trio.testing.MockClock
) -> None:
    listener, name = systemd
    manager = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000"}, RecordingJournal())
    manager.ready()
    with trio.move_on_after(45):
        await manager.feed()
    manager.stopping()
    # Each ten seconds, the first at once.
    assert manager.watchdog == 30 / FEEDS == 10
    assert told(listener) == ["READY=1", *["WATCHDOG=1"] * 5, "STOPPING=1"]


@pytest.mark.trio
async def test_without_systemd_nothing_is_sent(autojump_clock: trio.testing.MockClock) -> None:
    journal = RecordingJournal()
    manager = ServiceManager({}, journal)
    manager.ready()
    await manager.feed()
    assert (manager.watchdog, journal.lines) == (None, [])


@pytest.mark.parametrize(
    "environ",
    [
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_PID": str(os.getpid())},
    ],
)
def test_a_watchdog_that_is_not_asked_of_this_process(environ: dict[str, str]) -> None:
    assert ServiceManager(environ, RecordingJournal()).watchdog is None


def test_a_watchdog_of_this_process() -> None:
    environ = {"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": str(os.getpid())}
    assert ServiceManager(environ, RecordingJournal()).watchdog == 2


def test_a_socket_that_is_gone_is_said_once(tmp_path: Path) -> None:
    journal = RecordingJournal()
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "absent")}, journal)
    manager.ready()
    manager.stopping()
    (line,) = journal.lines
    assert line.startswith("systemd can't be told READY=1 on its socket: ")
