"""Two embedded backends over one libp2p connection: who has a session with whom, and what a peer may open."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kaspa_node.errors import RequestFailed
from kaspa_node.kaspa.config import KaspaConfig
from kaspa_node.kaspa.errors import DuplicateConnection, KaspaError
from kaspa_node.node.backends.base import STREAM_PROTOCOLS, STREAMS_PER_PEER
from kaspa_node.node.backends.embedded import EmbeddedBackend
from kaspa_node.node.requests import ExerciseRequest
from kaspa_node.p2p.channel.connection import DIRECT, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import P2PError
from kaspa_node.p2p.host import Host
from tests.integration.world import standing, until, world
from tests.unit.kaspa.shells import RecordingJournal

pytestmark = pytest.mark.trio


class Side:
    """One peer. seen: what its observers were told."""

    def __init__(self, host: Host, directory: Path, config: KaspaConfig) -> None:
        directory.mkdir(mode=0o700)
        self.host = host
        self.journal = RecordingJournal()
        self.backend = EmbeddedBackend(host, config, lambda peer: True, directory, self.journal)
        self.seen: list[tuple[str, str]] = []
        self.backend.observers.ready.append(lambda peer: self.seen.append(("ready", peer)))
        self.backend.observers.closed.append(lambda peer: self.seen.append(("closed", peer)))


@asynccontextmanager
async def sides(right: KaspaConfig | None = None) -> AsyncIterator[tuple[Side, Side, Connection]]:
    """Both backends run, and the left host is connected to the right one."""
    with tempfile.TemporaryDirectory(prefix="kn") as directory:
        async with world() as w:
            a, b, connection = await w.pair()
            left = Side(a, Path(directory, "a"), KaspaConfig())
            other = Side(b, Path(directory, "b"), right or KaspaConfig())
            async with trio.open_nursery() as nursery:
                await left.backend.start(nursery)
                await other.backend.start(nursery)
                yield left, other, connection
                nursery.cancel_scope.cancel()


async def test_both_sides_know_of_the_session_and_of_its_end() -> None:
    async with sides() as (left, right, connection):
        assert right.backend.incoming_path(left.host.peer_id) is None
        opened = await left.backend.open(connection, None)
        await until(lambda: right.seen)
        assert right.backend.incoming_path(left.host.peer_id) == DIRECT
        assert left.backend.incoming_path(right.host.peer_id) is None
        await opened.disconnect("enough")
        await opened.closed.wait()
        await until(lambda: len(left.seen) == len(right.seen) == 2)
        assert left.seen == [("ready", right.host.peer_id), ("closed", right.host.peer_id)]
        assert right.seen == [("ready", left.host.peer_id), ("closed", left.host.peer_id)]
        assert right.backend.incoming_path(left.host.peer_id) is None


async def test_two_peers_that_dial_each_other_have_one_session() -> None:
    """Each lists the other: the second session is refused, and that says that there is a first one."""
    async with sides() as (left, right, connection):
        await left.backend.open(connection, None)
        await until(lambda: right.seen)
        back = await standing(right.host, left.host.peer_id)
        with pytest.raises(DuplicateConnection):
            await right.backend.open(back, None)
        assert right.backend.incoming_path(left.host.peer_id) == DIRECT
        assert right.seen == [("ready", left.host.peer_id)]


async def is_reset(stream: Stream) -> bool:
    """Whether a stream is reset; one that is served begins with the server's settings."""
    try:
        return not await stream.read()
    except P2PError:
        return True


async def test_streams_without_end_are_reset_and_counted() -> None:
    async with sides() as (left, right, connection):
        streams = [await left.host.protocols.open(connection, STREAM_PROTOCOLS) for _ in range(STREAMS_PER_PEER + 1)]
        for stream in streams:
            await stream.write(b"PRI * ")
        # Which of them is one too many is left to chance: they are accepted by tasks of their own.
        assert [await is_reset(stream) for stream in streams].count(True) == 1
        await until(lambda: right.backend.refused == 1)
        assert len(right.backend.streams) == STREAMS_PER_PEER


async def test_a_session_that_ends_under_an_exercise_fails_that_request() -> None:
    """More pings than are under way at once: the node used to end with a ValueError."""
    async with sides() as (left, right, connection):
        opened = await left.backend.open(connection, None)
        await until(lambda: right.seen)
        assert opened.session is not None

        async def end_it() -> None:
            # Some hundreds of pings later.
            await until(lambda: left.journal.names().count("kaspa.ping") > 200)
            await right.backend.end({row["session"]: "enough" for row in right.backend.sessions()})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_it)
            with pytest.raises(RequestFailed, match=r"^the session ended after \d+ of 100000 pings: "):
                await left.backend.exercise(ExerciseRequest(opened.session, 100_000, 60.0))
        await until(lambda: not left.backend.sessions())
        with pytest.raises(RequestFailed, match=r"^no session "):
            await left.backend.exercise(ExerciseRequest(opened.session, 1, 1.0))


@pytest.mark.parametrize("how", ["connection", "directory"])
async def test_what_breaks_under_a_session_names_no_inner_path(how: str) -> None:
    async with sides() as (left, right, connection):
        if how == "directory":
            left.backend._runtime = Path("/nowhere/at/all")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_when_used, left, connection)
            with pytest.raises((KaspaError, P2PError)) as caught:
                await left.backend.open(connection, None)
            nursery.cancel_scope.cancel()
        assert not [word for word in ("sock", "unix", "nowhere", "/") if word in str(caught.value)]
        assert not left.backend.streams or how == "connection"
        for name, fields in left.journal.milestones:
            assert "sock" not in f"{name} {fields}"


async def close_when_used(side: Side, connection: Connection) -> None:
    """Lose the connection while the handshake runs on it."""
    await until(lambda: side.backend.streams)
    connection.close("lost")


async def test_a_failed_session_names_no_inner_path() -> None:
    async with sides() as (left, right, connection):
        right.backend._kaspa.config = KaspaConfig(max_inbound=1)
        await left.backend.open(connection, None)
        with pytest.raises(Exception, match="too many inbound sessions: 1 at a time") as caught:
            await left.backend.open(connection, None)
        assert "sock" not in str(caught.value)
        assert right.backend.refused == 1
        # The stream of a call that was refused does not stay for more of them.
        await until(lambda: len(right.backend.streams) == 1)
        assert not [line for line in left.journal.lines if "sock" in line]
