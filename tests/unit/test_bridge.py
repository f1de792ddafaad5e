"""Why a splice ended, where both of its ways come to their end at one moment."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from kaspa_node import bridge

pytestmark = pytest.mark.trio


class Ends:
    """Both ends of a splice, at once: the local program breaks off while the remote's bytes are on their way to it."""

    def __init__(self) -> None:
        self.broken = trio.Event()
        self.was_reset = False

    # The local socket

    async def receive_some(self, size: int) -> bytes:
        await self.broken.wait()
        raise trio.BrokenResourceError

    async def send_all(self, data: bytes) -> None:
        raise trio.BrokenResourceError

    async def aclose(self) -> None:
        pass

    # The stream

    async def read(self, size: int) -> bytes:
        await self.broken.wait()
        return b"bytes"

    async def given_up(self) -> None:
        await trio.sleep_forever()

    def reset(self) -> None:
        self.was_reset = True


async def test_a_local_end_that_both_ways_find_gone_is_not_an_end_in_order() -> None:
    ends = Ends()
    reasons: list[str] = []

    async def splice() -> None:
        reasons.append(await bridge.splice(ends, ends))  # type: ignore[arg-type]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(splice)
        await trio.testing.wait_all_tasks_blocked()
        ends.broken.set()
    assert reasons == ["broken off by the local program"]
    assert ends.was_reset
