"""A connection whose remote asks for much: it is slowed, then ended; who is within its budget is not touched."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from kaspa_node.p2p.budget import STRANGER, Budget, Rate
from kaspa_node.p2p.channel.connection import OVERDRAWN, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.channel.yamux import FIRST_WINDOW, INITIAL_WINDOW
from kaspa_node.p2p.errors import ConnectionLost
from tests.unit.p2p.channel.test_connection import echo
from tests.unit.p2p.frames import PING, RST, SYN, WINDOW, frame
from tests.unit.p2p.pipes import connected, pipe_of

pytestmark = pytest.mark.trio

PATIENT = Rate(share=0.1, saved=0.05, patience=1e9, all_receives=True)


class Handlers:
    """Counts the streams that were handed to a handler."""

    def __init__(self) -> None:
        self.begun = 0

    async def serve(self, stream: Stream) -> None:
        """Hold the stream until it ends."""
        self.begun += 1
        await stream.given_up()


def pour(connection: Connection, frames: bytes) -> None:
    """Have that end send frames as they are."""
    pipe_of(connection).try_send(connection._session.seal(frames))


def resets(first: int, count: int) -> bytes:
    """Streams that are opened and reset in one frame."""
    return b"".join(frame(WINDOW, SYN | RST, stream, 0) for stream in range(first, first + 2 * count, 2))


async def test_streams_that_are_reset_at_once_start_no_handler(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    handlers = Handlers()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(theirs.run, handlers.serve)
        pour(ours, resets(1, 3000))
        pour(ours, b"".join(frame(WINDOW, flag, stream, 0) for stream in (9001, 9003) for flag in (SYN, RST)))
        pour(ours, frame(WINDOW, SYN, 9005, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert handlers.begun == 1
        assert len(theirs._streams) == len(theirs.mux.streams) == 1
        nursery.cancel_scope.cancel()


async def test_a_flood_is_slowed_to_its_share_and_nothing_of_it_is_lost(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    theirs.budget = Budget(PATIENT, trio.current_time())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(theirs.run, Handlers().serve)
        for _ in range(10):
            pour(ours, b"".join(frame(PING, SYN, 0, number) for number in range(5000)))
        # 50,000 frames of 2 µs at a tenth of a core, less what was saved up.
        await trio.sleep(0.4)
        assert theirs.mux.frames < 50_000
        await trio.sleep(0.8)
        assert theirs.mux.frames == 50_000
        assert not theirs.closed.is_set()
        nursery.cancel_scope.cancel()


async def test_who_goes_on_regardless_is_ended(autojump_clock: MockClock) -> None:
    ours, theirs = connected(capacity=1 << 24)
    theirs.budget = Budget(STRANGER, trio.current_time())
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(theirs.run, Handlers().serve)
        for first in range(1, 1_000_000, 10_000):
            pour(ours, resets(first, 5000))
        await theirs.closed.wait()
        assert theirs.reason == OVERDRAWN
        assert 0.9 * STRANGER.patience < trio.current_time() - start < 3 * STRANGER.patience
        with pytest.raises(ConnectionLost, match=OVERDRAWN):
            theirs.open_stream()
        nursery.cancel_scope.cancel()


async def test_one_budget_for_two_connections_is_spent_by_both(autojump_clock: MockClock) -> None:
    pairs = [connected(), connected()]
    shared = Budget(PATIENT, trio.current_time())
    async with trio.open_nursery() as nursery:
        for ours, theirs in pairs:
            theirs.budget = shared
            nursery.start_soon(theirs.run, Handlers().serve)
            for _ in range(5):
                pour(ours, b"".join(frame(PING, SYN, 0, number) for number in range(5000)))
        await trio.sleep(0.4)
        assert 20_000 < sum(theirs.mux.frames for _, theirs in pairs) < 50_000
        await trio.sleep(0.8)
        assert sum(theirs.mux.frames for _, theirs in pairs) == 50_000
        nursery.cancel_scope.cancel()


async def test_while_one_is_slowed_its_answers_go_out_and_others_are_served(autojump_clock: MockClock) -> None:
    (noisy, slowed), (honest, served) = connected(), connected()
    slowed.budget = Budget(PATIENT, trio.current_time())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(slowed.run, echo)
        nursery.start_soon(served.run, echo)
        nursery.start_soon(honest.run, echo)
        for _ in range(15):
            pour(noisy, b"".join(frame(PING, SYN, 0, number) for number in range(5000)))
        for _ in range(20):
            assert await honest.ping() < 0.001
        assert slowed.mux.frames < 75_000
        assert pipe_of(noisy)._arrived
        nursery.cancel_scope.cancel()


async def test_streams_that_the_remote_has_elsewhere_count(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    theirs.share_with(connected()[1], lambda: 254 + theirs.incoming_streams)
    handlers = Handlers()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(theirs.run, handlers.serve)
        pour(ours, b"".join(frame(WINDOW, SYN, stream, 0) for stream in (1, 3, 5, 7)))
        await trio.testing.wait_all_tasks_blocked()
        assert theirs.incoming_streams == handlers.begun == 2
        nursery.cancel_scope.cancel()


async def test_windows_of_all_connections_of_a_remote_grow_within_one_budget(autojump_clock: MockClock) -> None:
    (ours, theirs), (more, other) = connected(), connected()
    other.share_with(theirs, lambda: theirs.incoming_streams + other.incoming_streams)
    room = theirs.mux.growth.left
    async with trio.open_nursery() as nursery:
        for end in (theirs, other):
            nursery.start_soon(end.run, Handlers().serve)
        for end in (ours, more):
            pour(end, frame(WINDOW, SYN, 1, 0) + frame(WINDOW, SYN, 3, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert other.mux.growth.left == room - 4 * (FIRST_WINDOW - INITIAL_WINDOW)
        theirs.close("enough")
        assert other.mux.growth.left == room - 2 * (FIRST_WINDOW - INITIAL_WINDOW)
        nursery.cancel_scope.cancel()
    assert other.mux.growth.left == room


async def test_what_a_stranger_sends_and_nobody_reads_ends_its_connection(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    theirs.restrict(streams=8, held=100_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(theirs.run, Handlers().serve)
        nursery.start_soon(ours.run, echo)
        streams = [ours.open_stream() for _ in range(8)]
        for stream in streams[:3]:
            await stream.write(bytes(30_000))
        await ours.ping()
        assert not theirs.closed.is_set()
        await streams[3].write(bytes(30_000))
        await theirs.closed.wait()
        assert theirs.reason == "it sends what nobody reads"
        nursery.cancel_scope.cancel()


async def test_a_stranger_that_reads_no_answers_is_hung_up_on_early(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    theirs.restrict(streams=8, held=50_000)
    pipe_of(theirs)._capacity = 1000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(theirs.run, Handlers().serve)
        for _ in range(2):
            pour(ours, b"".join(frame(PING, SYN, 0, number) for number in range(5000)))
        await theirs.closed.wait()
        assert theirs.reason == "the remote asks and does not read the answers"
        nursery.cancel_scope.cancel()
