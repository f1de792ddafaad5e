"""The queues between a trio task and threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from kaspa_node.kaspa.errors import StreamEnded
from kaspa_node.kaspa.link import INBOX_LIMIT, OUTBOX_LIMIT, Gate, Link, Outbox

CHUNK = b"x" * (64 << 10)


def link(cancelled: list[str] | None = None) -> Link:
    calls = cancelled if cancelled is not None else []
    return Link(trio.lowlevel.current_trio_token(), lambda: calls.append("cancel"))


def test_the_outbox_keeps_order_and_sends_what_waits_when_closed() -> None:
    outbox = Outbox(lambda: None)
    for data in (b"1", b"2", b"3"):
        outbox.put(data)
    outbox.close()
    outbox.put(b"late")
    assert list(outbox.drain()) == [b"1", b"2", b"3"]


def test_a_discarded_outbox_sends_nothing() -> None:
    outbox = Outbox(lambda: None)
    outbox.put(b"1")
    outbox.close(discard=True)
    assert list(outbox.drain()) == []


def test_the_outbox_is_congested_above_its_limit_and_relieved_at_half() -> None:
    relieved: list[bool] = []
    outbox = Outbox(lambda: relieved.append(True))
    while not outbox.congested:
        outbox.put(CHUNK)
    put = OUTBOX_LIMIT // len(CHUNK)
    messages = outbox.drain()
    taken = 0
    while outbox.congested:
        next(messages)
        taken += 1
    assert put // 2 <= taken <= put // 2 + 2
    assert relieved == [True]


def test_a_thread_that_waits_for_messages_is_let_go() -> None:
    outbox = Outbox(lambda: None)
    thread = threading.Thread(target=lambda: list(outbox.drain()), daemon=True)
    thread.start()
    outbox.close()
    thread.join(10)
    assert not thread.is_alive()


def test_one_message_passes_the_gate_however_large() -> None:
    gate = Gate(10)
    assert gate.enter(1000)


def test_a_closed_gate_lets_nobody_in_and_everybody_go() -> None:
    gate = Gate(10)
    assert gate.enter(10)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(gate.enter(10)), daemon=True)
    thread.start()
    gate.close()
    thread.join(10)
    assert answers == [False]
    assert not gate.enter(1)


@pytest.mark.trio
async def test_messages_arrive_in_order_and_then_the_end() -> None:
    wire = link()
    threading.Thread(target=wire.read, args=(iter([b"1", b"2"]),), daemon=True).start()
    assert [await wire.receive(), await wire.receive()] == [b"1", b"2"]
    with pytest.raises(StreamEnded, match="the peer ended the stream"):
        await wire.receive()
    with pytest.raises(StreamEnded):
        await wire.receive()


@pytest.mark.trio
async def test_the_reason_of_a_broken_stream_arrives() -> None:
    def broken() -> Iterator[bytes]:
        yield b"1"
        raise StreamEnded("gRPC UNAVAILABLE: gone")

    wire = link()
    threading.Thread(target=wire.read, args=(broken(),), daemon=True).start()
    assert await wire.receive() == b"1"
    with pytest.raises(StreamEnded, match="UNAVAILABLE"):
        await wire.receive()


@pytest.mark.trio
async def test_a_flood_waits_in_its_thread() -> None:
    produced = 0

    def flood() -> Iterator[bytes]:
        nonlocal produced
        for _ in range(200):
            produced += 1
            yield CHUNK

    wire = link()
    thread = threading.Thread(target=wire.read, args=(flood(),), daemon=True)
    thread.start()
    received = 0
    while received < 200:
        await wire.receive()
        received += 1
        assert produced - received <= INBOX_LIMIT // len(CHUNK) + 1
    thread.join(10)


@pytest.mark.trio
async def test_congestion_ends_when_the_thread_has_sent_enough() -> None:
    wire = link()
    while not wire.congested:
        wire.send(CHUNK)
    sent: list[int] = []
    threading.Thread(target=lambda: sent.extend(len(data) for data in wire.outgoing()), daemon=True).start()
    with trio.fail_after(30):
        await wire.relieved()
    assert not wire.congested
    wire.abort()


@pytest.mark.trio
async def test_congestion_ends_with_the_stream() -> None:
    wire = link()
    while not wire.congested:
        wire.send(CHUNK)
    threading.Thread(target=wire.read, args=(iter(()),), daemon=True).start()
    with trio.fail_after(30):
        await wire.relieved()
    with pytest.raises(StreamEnded):
        await wire.receive()


@pytest.mark.trio
async def test_congestion_ends_when_the_call_is_gone() -> None:
    wire = link()
    while not wire.congested:
        wire.send(CHUNK)
    threading.Thread(target=wire.gone, daemon=True).start()
    with trio.fail_after(30):
        await wire.relieved()


@pytest.mark.trio
async def test_finishing_sends_what_waits_and_cancels_at_the_end() -> None:
    cancelled: list[str] = []
    wire = link(cancelled)
    wire.send(b"last words")
    said: list[bytes] = []

    def call() -> None:
        wire.read(iter([b"words that nobody reads"]))
        said.extend(wire.outgoing())
        wire.gone()

    threading.Thread(target=call, daemon=True).start()
    await wire.finish(30)
    assert said == [b"last words"]
    assert cancelled == ["cancel"]


@pytest.mark.trio
async def test_finishing_does_not_wait_for_a_peer_that_stays(autojump_clock: trio.testing.MockClock) -> None:
    cancelled: list[str] = []
    wire = link(cancelled)
    await wire.finish(1)
    assert trio.current_time() == pytest.approx(1)
    assert cancelled == ["cancel"]


def test_a_thread_outlives_the_trio_run() -> None:
    """Messages that come after the end of the run are nobody's, and no error."""
    wires: list[Link] = []

    async def main() -> None:
        wires.append(link())

    trio.run(main)
    wires[0].read(iter([b"1", b"2"]))
    wires[0].gone()
