"""A connection over pipes in memory, on a clock that jumps: silence, congestion, floods, and its end."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from kaspa_node.p2p.channel import connection as connection_module
from kaspa_node.p2p.channel.connection import DIRECT, DOUBT_SECONDS, QUIET_SECONDS, RELAYED, SILENT_SECONDS, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import ConnectionLost, StreamReset
from tests.unit.p2p.frames import PING, SYN, frame
from tests.unit.p2p.pipes import connected, pipe_of

pytestmark = pytest.mark.trio


async def echo(stream: Stream) -> None:
    """Send everything back."""
    while data := await stream.read():
        await stream.write(data)
    stream.close()


async def ignore(stream: Stream) -> None:
    """Read nothing."""
    await trio.sleep_forever()


async def test_both_ends_have_one_id_and_each_knows_the_other() -> None:
    ours, theirs = connected()
    assert ours.id == theirs.id
    assert len(ours.id) == 16
    assert ours.remote != theirs.remote


async def test_idle_connections_keep_each_other_alive(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        await trio.sleep(3600)
        assert not ours.closed.is_set()
        assert not theirs.closed.is_set()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("after", [0.0, 1.0, QUIET_SECONDS + 1.0])
async def test_a_remote_that_falls_silent_is_given_up_in_time(autojump_clock: MockClock, after: float) -> None:
    ours, theirs = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        await trio.sleep(after)
        pipe_of(theirs).frozen = True
        start = trio.current_time()
        await ours.closed.wait()
        assert trio.current_time() - start <= SILENT_SECONDS + QUIET_SECONDS
        assert ours.reason.startswith("nothing heard for")
        nursery.cancel_scope.cancel()


async def test_a_remote_that_never_says_a_word_is_given_up_in_time(autojump_clock: MockClock) -> None:
    ours, _ = connected()
    start = trio.current_time()
    await ours.run(echo)
    assert trio.current_time() - start == pytest.approx(SILENT_SECONDS)
    assert ours.reason == "nothing heard for 30 s"


async def test_a_connection_that_is_doubted_has_a_few_seconds_to_answer(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        await trio.sleep(1)
        await ours.prove_alive()
        await trio.sleep(DOUBT_SECONDS)
        assert not ours.closed.is_set()
        pipe_of(theirs).frozen = True
        start = trio.current_time()
        await ours.prove_alive()
        assert trio.current_time() - start == pytest.approx(DOUBT_SECONDS)
        assert (ours.starved, ours.reason) == (True, "nothing heard for 5 s while its remote opened another connection")
        nursery.cancel_scope.cancel()


async def test_what_is_heard_while_the_answer_is_due_is_proof_as_well(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(ours.prove_alive)
        await trio.sleep(DOUBT_SECONDS / 2)
        # The remote reads nothing and so answers no ping, but it sends.
        theirs.mux.ping(1)
        theirs.flush()
        await trio.sleep(DOUBT_SECONDS)
        assert not ours.closed.is_set()
        nursery.cancel_scope.cancel()


async def test_many_doubts_at_once_cost_one_ping(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        await trio.sleep(1)
        sent = ours.bytes_sent
        await ours.prove_alive()
        once = ours.bytes_sent - sent
        async with trio.open_nursery() as doubts:
            for _ in range(10):
                doubts.start_soon(ours.prove_alive)
        assert ours.bytes_sent - sent == 2 * once
        nursery.cancel_scope.cancel()


async def test_what_is_put_back_is_counted_once(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        stream = ours.open_stream()
        await stream.write(b"proposal and more")
        stream.unread((await stream.read_exactly(17))[8:])
        assert stream.bytes_received == 8
        assert await stream.read() == b" and more"
        assert stream.bytes_received == stream.bytes_sent == 17
        nursery.cancel_scope.cancel()


async def test_a_pipe_that_takes_little_at_a_time_loses_nothing(autojump_clock: MockClock) -> None:
    ours, theirs = connected(capacity=1000)
    data = bytes(i % 251 for i in range(300_000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        stream = ours.open_stream()

        async def send() -> None:
            await stream.write(data)
            stream.close()

        nursery.start_soon(send)
        got = b""
        while more := await stream.read():
            got += more
        assert got == data
        nursery.cancel_scope.cancel()


async def test_writers_wait_while_the_pipe_is_full(autojump_clock: MockClock) -> None:
    ours, theirs = connected(capacity=1000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        # The remote reads nothing: all that is written stays on this side.
        for _ in range(60):
            stream = ours.open_stream()
            nursery.start_soon(stream.write, bytes(256 * 1024))
        await trio.testing.wait_all_tasks_blocked()
        assert ours._unsent_bytes < connection_module.FLOOD
        assert not ours.closed.is_set()
        nursery.start_soon(theirs.run, drain)
        await trio.testing.wait_all_tasks_blocked()
        assert theirs.bytes_received > 60 * 256 * 1024
        nursery.cancel_scope.cancel()


async def drain(stream: Stream) -> None:
    """Read everything."""
    while await stream.read():
        pass


async def test_a_remote_that_asks_and_does_not_read_the_answers_is_dropped(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "FLOOD", 20_000)
    ours, theirs = connected(capacity=100_000)
    pipe_of(ours)._capacity = 10
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        questions = b"".join(frame(PING, SYN, 0, number) for number in range(3000))
        pipe_of(theirs).try_send(theirs._session.seal(questions))
        await ours.closed.wait()
        assert ours.reason == "the remote asks and does not read the answers"
        nursery.cancel_scope.cancel()


async def test_closing_wakes_everybody_who_waits(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    outcomes: list[str] = []

    async def expect(action: object) -> None:
        try:
            await action  # type: ignore[misc]
        except (StreamReset, ConnectionLost) as error:
            outcomes.append(type(error).__name__)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, ignore)
        await ours.ping()
        reading, writing = ours.open_stream(), ours.open_stream()
        await reading.write(b"x")
        pipe_of(theirs).frozen = True
        nursery.start_soon(expect, reading.read())
        nursery.start_soon(expect, writing.write(bytes(2 << 20)))
        nursery.start_soon(expect, ours.ping())
        await trio.testing.wait_all_tasks_blocked()
        ours.close("enough")
        await trio.testing.wait_all_tasks_blocked()
        assert len(outcomes) == 3
        with pytest.raises(ConnectionLost, match="enough"):
            ours.open_stream()
        nursery.cancel_scope.cancel()


async def test_the_end_is_seen_by_the_remote(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        await ours.ping()
        ours.close("enough")
        ours.close("again")
        assert ours.reason == "enough"
        await theirs.closed.wait()
        assert theirs.reason == "closed by the remote"


@pytest.mark.parametrize(("path", "says"), [(DIRECT, False), (RELAYED, True)])
async def test_a_direct_connection_ends_without_a_farewell(path: str, says: bool) -> None:
    """A remote that answers with a reset of its own would have the routers drop the next hole punch."""
    ours, theirs = connected()
    ours.route = replace(ours.route, path=path)
    ours.flush()
    before = pipe_of(theirs).waiting
    ours.close("enough")
    assert (pipe_of(theirs).waiting > before) == says


@pytest.mark.parametrize("passes", range(8))
async def test_an_end_during_a_ping_is_no_defect(autojump_clock: MockClock, passes: int) -> None:
    ours, theirs = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        for _ in range(passes):
            await trio.lowlevel.checkpoint()
        pipe_of(theirs).abort()
        await ours.closed.wait()


async def test_a_connection_that_was_closed_before_it_ran_ends_at_once(autojump_clock: MockClock) -> None:
    ours, _ = connected()
    ours.close("not wanted")
    await ours.run(echo)
    assert ours.reason == "not wanted"


async def test_streams_that_are_over_are_let_go(autojump_clock: MockClock) -> None:
    ours, theirs = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, echo)
        nursery.start_soon(theirs.run, echo)
        for _ in range(300):
            stream = ours.open_stream()
            await stream.write(b"x")
            stream.close()
            assert await stream.read() == b"x"
            assert await stream.read() == b""
        for end in (ours, theirs):
            assert held(end) == (0, 0)
        nursery.cancel_scope.cancel()


def held(connection: Connection) -> tuple[int, int]:
    """Streams that the connection and its muxer still hold."""
    return len(connection._streams), len(connection.mux.streams)
