"""The queues between a trio task and gRPC's loop."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable

import pytest
import trio
import trio.testing

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.errors import End, ProtocolError, StreamEnded
from kaspa_node.kaspa.grpc_loop import GrpcLoop, shared
from kaspa_node.kaspa.link import INBOX_LIMIT, OUTBOX_LIMIT, Link, Read
from kaspa_node.kaspa.messages import Unread
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage

pytestmark = pytest.mark.trio

CHUNK = b"x" * (64 << 10)
PATIENCE = 20
VERSION = KaspadMessage(version={"userAgent": "/x/"})
BLOCK = KaspadMessage(transaction={"payload": CHUNK}).SerializeToString()


def link(cancelled: list[str] | None = None) -> Link:
    calls = cancelled if cancelled is not None else []
    return Link(trio.lowlevel.current_trio_token(), shared(), lambda: calls.append("cancel"))


def saying(said: Iterable[bytes], end: End = End.ENDED) -> Read:
    """What gRPC would read: these messages, then that end."""
    rest = iter(said)

    async def read() -> bytes | None:
        data = next(rest, None)
        if data is None and end is not End.ENDED:
            raise StreamEnded(end)
        return data

    return read


async def keep(sent: list[bytes], data: bytes) -> None:
    sent.append(data)


def start(work: Coroutine[None, None, None]) -> None:
    assert shared().start(work)


async def test_messages_arrive_in_order_and_then_the_end() -> None:
    wire = link()
    start(wire.read_from(saying([VERSION.SerializeToString(), messages.verack().SerializeToString()])))
    with trio.fail_after(PATIENCE):
        assert [(await wire.receive()).message for _ in range(2)] == [VERSION, messages.verack()]
        for _ in range(2):
            with pytest.raises(StreamEnded, match="the peer ended the stream"):
                await wire.receive()


async def test_how_a_stream_broke_arrives_behind_its_messages() -> None:
    wire = link()
    start(wire.read_from(saying([BLOCK], End.UNREACHABLE)))
    with trio.fail_after(PATIENCE):
        arrival = await wire.receive()
        assert (arrival.message, arrival.size) == (Unread("Transaction", len(BLOCK) - 4), len(BLOCK))
        with pytest.raises(StreamEnded) as caught:
            await wire.receive()
    assert caught.value.end == End.UNREACHABLE


async def test_an_unfit_message_arrives_as_what_is_wrong_with_it() -> None:
    wire = link()
    start(wire.read_from(saying([b"\xff\xff\xff", BLOCK])))
    with trio.fail_after(PATIENCE):
        with pytest.raises(ProtocolError, match="no kaspad p2p message"):
            await wire.receive()
        with pytest.raises(StreamEnded, match="closed by this side"):
            await wire.receive()


async def test_a_flood_waits_in_grpcs_loop() -> None:
    produced = 0

    async def flood() -> bytes | None:
        nonlocal produced
        produced += 1
        return BLOCK if produced <= 200 else None

    wire = link()
    start(wire.read_from(flood))
    with trio.fail_after(PATIENCE):
        for received in range(200):
            assert produced - received <= INBOX_LIMIT // len(BLOCK) + 2
            await wire.receive()
        with pytest.raises(StreamEnded):
            await wire.receive()


async def test_one_message_passes_however_large() -> None:
    wire = link()
    large = KaspadMessage(transaction={"payload": bytes(2 * INBOX_LIMIT)}).SerializeToString()
    start(wire.read_from(saying([large, large])))
    with trio.fail_after(PATIENCE):
        assert [(await wire.receive()).size for _ in range(2)] == [len(large)] * 2


async def test_congestion_ends_when_enough_is_sent() -> None:
    wire, sent = link(), list[bytes]()
    while not wire.congested:
        wire.send(CHUNK)
    assert len(CHUNK) * 14 < OUTBOX_LIMIT
    start(wire.write_to(lambda data: keep(sent, data)))
    with trio.fail_after(PATIENCE):
        await wire.relieved()
    assert not wire.congested
    assert len(sent) >= 7


@pytest.mark.parametrize("how", ["end", "gone"])
async def test_congestion_ends_with_the_stream(how: str) -> None:
    wire = link()
    while not wire.congested:
        wire.send(CHUNK)
    if how == "end":
        start(wire.read_from(saying([])))
    else:
        assert shared().soon(wire.gone)
    with trio.fail_after(PATIENCE):
        await wire.relieved()


async def test_finishing_sends_what_waits_and_cancels_at_the_end() -> None:
    cancelled, said = list[str](), list[bytes]()
    wire = link(cancelled)
    wire.send(b"last words")

    async def call() -> None:
        await wire.read_from(saying([BLOCK]))
        await wire.write_to(lambda data: keep(said, data))
        wire.gone()

    start(call())
    with trio.fail_after(PATIENCE):
        await wire.finish(PATIENCE)
    wire.send(b"too late")
    assert said == [b"last words"]
    # gRPC's loop is a thread of its own.
    with trio.fail_after(PATIENCE):
        while not cancelled:
            await trio.lowlevel.checkpoint()


async def test_finishing_waits_no_longer_than_it_lingers(autojump_clock: trio.testing.MockClock) -> None:
    wire = link()
    started = trio.current_time()
    await wire.finish(3.0)
    assert trio.current_time() - started == pytest.approx(3.0)


async def test_a_loop_that_is_gone_takes_no_work_and_tells_who_watches() -> None:
    loop, ended = GrpcLoop(), trio.Event()
    with trio.fail_after(PATIENCE), loop.watched(ended.set):
        loop.stop()
        await ended.wait()

    async def work() -> None:
        raise AssertionError

    assert not loop.start(work())
    assert not loop.soon(print)
    assert not loop.alive
