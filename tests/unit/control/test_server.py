"""The server's conversation: one request, one answer, limits, and clients that misbehave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from kaspa_node.control import protocol, server
from kaspa_node.control.server import Handler, serve_control
from kaspa_node.errors import AlreadyRunning, KaspaNodeError, LayerError

pytestmark = pytest.mark.trio


@asynccontextmanager
async def serving(path: Path, handler: Handler) -> AsyncIterator[Callable[[], Awaitable[trio.SocketStream]]]:
    """A server; yields what connects to it."""
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, path, handler)
        yield partial(trio.open_unix_socket, path)
        nursery.cancel_scope.cancel()


async def echo(request: dict[str, Any]) -> Mapping[str, Any]:
    return {"echo": request}


async def rest(stream: trio.SocketStream) -> dict[str, Any] | None:
    """What the server still says; None where it ends the connection without a word."""
    data = b""
    async with stream:
        try:
            async for chunk in stream:
                data += chunk
        except trio.BrokenResourceError:
            pass
    return protocol.decode(data) if data else None


async def test_a_request_is_answered_and_the_connection_ends(path: Path) -> None:
    async with serving(path, echo) as connect:
        stream = await connect()
        await stream.send_all(b'{"do":')
        await stream.send_all(b'"status"}\n')
        assert await rest(stream) == {"ok": True, "echo": {"do": "status"}}
    assert not await trio.Path(path).exists()


async def test_requests_run_at_the_same_time(path: Path) -> None:
    both = {"a": trio.Event(), "b": trio.Event()}

    async def handler(request: dict[str, Any]) -> Mapping[str, Any]:
        both[request["do"]].set()
        for event in both.values():
            await event.wait()
        return {}

    async with serving(path, handler) as connect:
        first, second = await connect(), await connect()
        await first.send_all(b'{"do":"a"}\n')
        await second.send_all(b'{"do":"b"}\n')
        assert await rest(first) == await rest(second) == {"ok": True}


async def test_an_error_for_people_is_the_answer(path: Path) -> None:
    async def plain(request: dict[str, Any]) -> Mapping[str, Any]:
        raise KaspaNodeError("no such remote")

    async def grouped(request: dict[str, Any]) -> Mapping[str, Any]:
        raise ExceptionGroup("of a nursery", [ExceptionGroup("inner", [KaspaNodeError("no such remote")])])

    for handler in (plain, grouped):
        async with serving(path, handler) as connect:
            stream = await connect()
            await stream.send_all(b"{}\n")
            assert await rest(stream) == {"ok": False, "error": "no such remote", "code": 1}


@pytest.mark.parametrize(
    "defect",
    [
        LookupError("a defect"),
        ValueError("a session in state closed sends no pings"),
        LayerError("of a layer below"),
        trio.BrokenResourceError("of a stream"),
        ExceptionGroup("of a nursery", [ExceptionGroup("", [TypeError("a defect")])]),
    ],
    ids=lambda defect: type(defect).__name__,
)
async def test_a_defect_of_the_handler_ends_its_request_only(
    path: Path, defect: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: dict[str, Any]) -> Mapping[str, Any]:
        if request["do"] == "fail":
            raise defect
        return {"did": request["do"]}

    async with serving(path, handler) as connect:
        failed = await connect()
        await failed.send_all(b'{"do":"fail"}\n')
        answer = await rest(failed)
        assert (answer["ok"], answer["code"]) == (False, 1)
        assert answer["error"] == (
            'internal error while answering "fail"; the node\'s log has the details, please report it'
        )
        working = await connect()
        await working.send_all(b'{"do":"work"}\n')
        assert await rest(working) == {"ok": True, "did": "work"}
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.message == 'internal error while answering the control request "fail"'


async def test_an_answer_that_is_no_json_is_a_defect_too(path: Path) -> None:
    async def handler(request: dict[str, Any]) -> Mapping[str, Any]:
        return {"seconds": float("nan")}

    async with serving(path, handler) as connect:
        stream = await connect()
        await stream.send_all(b'{"do":"status"}\n')
        assert (await rest(stream))["ok"] is False


async def test_what_ends_the_process_is_not_hidden(path: Path) -> None:
    async def handler(request: dict[str, Any]) -> Mapping[str, Any]:
        raise MemoryError

    async def use() -> None:
        async with serving(path, handler) as connect:
            stream = await connect()
            await stream.send_all(b"{}\n")
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await use()
    assert caught.value.subgroup(MemoryError) is not None


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"hello\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b"[1]\n", "not a JSON object"),
        (b"\n", "not JSON"),
        (b"{}\n{}\n", "more than one line"),
        (b'{"do":"' + b"x" * protocol.MAX_REQUEST + b'"}\n', "exceeds 65536 bytes"),
    ],
)
async def test_bad_requests_are_told_why(path: Path, sent: bytes, reason: str) -> None:
    async with serving(path, echo) as connect:
        stream = await connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_what_fits, stream, sent)
            answer = await rest(stream)
        assert answer is not None
        assert answer["ok"] is False
        assert reason in answer["error"]


async def _send_what_fits(stream: trio.SocketStream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def test_the_largest_request_is_taken(path: Path) -> None:
    line = b'{"do":"' + b"x" * (protocol.MAX_REQUEST - 10) + b'"}\n'
    assert len(line) == protocol.MAX_REQUEST
    async with serving(path, echo) as connect:
        stream = await connect()
        await stream.send_all(line)
        answer = await rest(stream)
        assert answer is not None
        assert answer["ok"] is True


async def test_a_silent_client_is_sent_away_in_time(path: Path, autojump_clock: MockClock) -> None:
    async with serving(path, echo) as connect:
        stream = await connect()
        await stream.send_all(b'{"do":')
        before = trio.current_time()
        assert await rest(stream) == {"ok": False, "error": "no whole request within 5 s"}
        assert trio.current_time() - before == pytest.approx(protocol.READ_TIMEOUT)


async def test_a_client_that_does_not_read_its_answer_is_sent_away_in_time(
    path: Path, autojump_clock: MockClock
) -> None:
    async def handler(request: dict[str, Any]) -> Mapping[str, Any]:
        return {"much": "x" * 4_000_000}

    async with serving(path, handler) as connect:
        stream = await connect()
        await stream.send_all(b"{}\n")
        with trio.move_on_after(server.WRITE_TIMEOUT + 1):
            await trio.sleep_forever()
        data = b"".join([chunk async for chunk in stream])
        assert 0 < len(data) < 4_000_000


async def test_a_client_that_hangs_up_cancels_its_request(path: Path) -> None:
    begun, cancelled = trio.Event(), trio.Event()

    async def handler(request: dict[str, Any]) -> Mapping[str, Any]:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    async with serving(path, handler) as connect:
        for ending in (trio.SocketStream.aclose, lambda stream: stream.send_all(b"more")):
            stream = await connect()
            await stream.send_all(b"{}\n")
            await begun.wait()
            await ending(stream)
            await cancelled.wait()
            await stream.aclose()
            begun, cancelled = trio.Event(), trio.Event()


async def test_a_client_that_hangs_up_before_its_request_is_whole_is_forgotten(path: Path) -> None:
    async with serving(path, echo) as connect:
        stream = await connect()
        await stream.send_all(b'{"do"')
        await stream.aclose()
        again = await connect()
        await again.send_all(b"{}\n")
        assert await rest(again) == {"ok": True, "echo": {}}


async def test_a_client_may_close_its_sending_half_and_wait(path: Path) -> None:
    release = trio.Event()

    async def handler(request: dict[str, Any]) -> Mapping[str, Any]:
        await release.wait()
        return {}

    async with serving(path, handler) as connect:
        stream = await connect()
        await stream.send_all(b"{}\n")
        await stream.send_eof()
        await trio.testing.wait_all_tasks_blocked()
        release.set()
        assert await rest(stream) == {"ok": True}


async def test_more_clients_than_slots_are_told_to_come_back(path: Path) -> None:
    async with serving(path, echo) as connect:
        held = [await connect() for _ in range(server.MAX_CONNECTIONS)]
        await trio.testing.wait_all_tasks_blocked()
        answer = await rest(await connect())
        assert answer == {"ok": False, "error": "too many requests at once; try again"}
        await held[0].send_all(b"{}\n")
        assert await rest(held[0]) == {"ok": True, "echo": {}}
        for stream in held[1:]:
            await stream.aclose()


async def test_a_second_server_is_refused_before_it_listens(path: Path) -> None:
    async with serving(path, echo), trio.open_nursery() as nursery:
        with pytest.raises(AlreadyRunning):
            await nursery.start(serve_control, path, echo)
