"""The path that is kept for other programs: whose run a stream is, and when a path that was replaced ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import trio

from kaspa_node.node.backends.external_session import ExternalSession
from kaspa_node.p2p.errors import ConnectionLost

pytestmark = pytest.mark.trio


class Wire:
    """Stands in for a connection."""

    def __init__(self) -> None:
        self.closed = trio.Event()
        self.reason = ""
        self.route = SimpleNamespace(path="direct")

    def close(self, reason: str) -> None:
        self.reason = reason
        self.closed.set()

    def check(self) -> None:
        if self.closed.is_set():
            raise ConnectionLost(self.reason)


class Stream:
    """Stands in for a stream."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard = trio.Event()
        self.first_byte_at: float | None = None

    def hear(self) -> None:
        self.first_byte_at = trio.current_time()
        self.heard.set()


def session(broken_off: list[tuple[str, str]] | None = None) -> Any:
    """broken_off: takes the streams that are ended, with the reasons."""
    ended = [] if broken_off is None else broken_off
    return ExternalSession(Wire(), "run-1", lambda name, reason: ended.append((name, reason)))  # type: ignore[arg-type]


async def test_streams_are_the_runs_until_the_remote_is_heard_of_on_one() -> None:
    path = session()
    assert (path.path, path.session, path.first_byte_at, path.handshake_seconds) == ("direct", None, None, None)
    lost, found = Stream("c.1"), Stream("c.3")
    assert path.take(lost) == "run-1"
    path.give_back(lost)
    assert path.take(found) == "run-1"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(path.watch, found)
        nursery.start_soon(path.used)
        await trio.testing.wait_all_tasks_blocked()
        found.hear()
    assert (path.session, path.first_byte_at) == ("c.3", found.first_byte_at)
    assert path.take(Stream("c.5")) is None
    assert path.session == "c.3"


async def test_whoever_waits_for_a_stream_hears_of_the_end_of_the_connection() -> None:
    path = session()
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(ConnectionLost, match="the network is gone"):
                await path.used()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        path.connection.close("the network is gone")


async def test_a_path_that_was_replaced_ends_with_its_last_stream() -> None:
    path = session()
    streams = [Stream("c.1"), Stream("c.3")]
    for stream in streams:
        path.take(stream)
    await path.retire("moved to the direct path")
    assert not path.is_open
    path.give_back(streams[0])
    assert not path.closed.is_set()
    path.give_back(streams[1])
    assert path.closed.is_set()
    assert path.reason == "moved to the direct path"


async def test_a_path_that_nobody_used_ends_at_once_when_it_is_replaced() -> None:
    path = session()
    await path.retire("moved to the direct path")
    assert path.closed.is_set()


async def test_a_path_ends_when_it_is_told_to() -> None:
    ended: list[tuple[str, str]] = []
    path = session(ended)
    assert path.is_open
    path.take(Stream("c.1"))
    await path.disconnect("a fresh session was asked for")
    assert ended == [("c.1", "a fresh session was asked for")]
    assert (path.is_open, path.closed.is_set()) == (False, True)
