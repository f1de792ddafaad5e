"""The forwards of an external backend: how long a caller waits, and how one is turned away."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from kaspa_node import milestones
from kaspa_node.node.backends import forwards
from kaspa_node.node.backends.external import ExternalBackend
from kaspa_node.p2p.host import Host
from kaspa_node.settings import LocalAddress, Remote, Settings
from tests.unit.kaspa.shells import RecordingJournal
from tests.unit.p2p.parties import identity, peer_id

pytestmark = pytest.mark.trio

REMOTE = peer_id(2)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short place for sockets: pytest's own directories are too deep for some systems' limit."""
    with tempfile.TemporaryDirectory(prefix="kn") as found:
        yield Path(found)


class Remotes:
    """A remote that is not reached."""

    def progress(self, peer: str) -> str:
        return "waiting (no reservation)"

    async def direct_within(self, peer: str, seconds: float) -> None:
        raise AssertionError("there is no session that could be better")


@asynccontextmanager
async def forward(directory: Path, journal: RecordingJournal) -> AsyncIterator[Path]:
    """A forward to a remote that is never reached."""
    path = directory / "forward.sock"
    host = Host(identity(1), peer_id(1), journal, agent="party/1", version="/test/1")
    settings = Settings(role="peer", remotes=(Remote("server", REMOTE, listen=LocalAddress(path=path)),))
    backend = ExternalBackend(host, None, settings.allow.permits, Remotes, journal)
    async with trio.open_nursery() as nursery:
        await backend.start(nursery)
        backend.prepare(settings)()
        yield path
        nursery.cancel_scope.cancel()


async def ended(caller: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):
        assert await caller.receive_some() == b""


async def test_a_caller_is_turned_away_when_the_remote_is_not_reached_in_time(
    directory: Path, autojump_clock: MockClock
) -> None:
    journal = RecordingJournal()
    async with forward(directory, journal) as path:
        assert path.stat().st_mode & 0o777 == 0o600
        start = trio.current_time()
        async with await trio.open_unix_socket(str(path)) as caller:
            await ended(caller)
        assert trio.current_time() - start == pytest.approx(15)
    [fields] = [fields for name, fields in journal.milestones if name == milestones.REMOTE_UNREACHED.name]
    assert fields == {
        "name": "server",
        "peer": REMOTE,
        "reason": "not reached within 15 s: waiting (no reservation)",
    }
    assert not path.exists()


class MovingProtocols:
    """Opens streams. While it opens the first one, the session moves. opened: the paths of the streams."""

    def __init__(self, move: Callable[[], Awaitable[None]]) -> None:
        self.opened: list[str] = []
        self.reset: list[str] = []
        self._move = move

    async def open(self, connection: Any, protocols: Sequence[str]) -> Any:
        name = connection.route.path
        self.opened.append(name)
        if len(self.opened) == 1:
            await self._move()
        return SimpleNamespace(reset=lambda: self.reset.append(name))


def path(kind: str) -> Any:
    """Stands in for a connection."""
    route = SimpleNamespace(path=kind)
    return SimpleNamespace(remote=REMOTE, id="c", route=route, closed=trio.Event())


async def test_a_stream_does_not_begin_on_a_path_that_the_session_is_leaving() -> None:
    async def move() -> None:
        await first.retire("moved to the direct path")
        await backend.open(path("direct"), None)

    protocols = MovingProtocols(move)
    host = SimpleNamespace(protocols=SimpleNamespace(serve=lambda *arguments: None, open=protocols.open))
    backend = ExternalBackend(host, None, lambda peer: True, Remotes, RecordingJournal())  # type: ignore[arg-type]
    first = await backend.open(path("relayed"), None)
    local: Any = SimpleNamespace(socket=SimpleNamespace(fileno=lambda: 0))
    session, _ = await backend._stream_to(REMOTE, local, trio.current_time() + 5)
    assert session.path == "direct"
    assert protocols.opened == ["relayed", "direct"]
    assert protocols.reset == ["relayed"]


async def test_one_caller_too_many_is_turned_away_at_once(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwards, "MAX_CONNECTIONS", 1)
    journal = RecordingJournal()
    async with (
        forward(directory, journal) as path,
        await trio.open_unix_socket(str(path)),
        await trio.open_unix_socket(str(path)) as second,
    ):
        await ended(second)
    reasons = [fields["reason"] for name, fields in journal.milestones if name == milestones.REMOTE_UNREACHED.name]
    assert reasons == ["1 connections to it are open already"]
