"""What a node says that it uses."""

from __future__ import annotations

import os

import pytest
import trio

from kaspa_node.node.common import usage


@pytest.mark.trio
async def test_tasks_and_descriptors_are_counted_as_they_come_and_go() -> None:
    before = usage()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        ends = os.pipe()
        assert usage() == {"tasks": before["tasks"] + 1, "descriptors": before["descriptors"] + 2}
        for end in ends:
            os.close(end)
        nursery.cancel_scope.cancel()
    assert usage() == before
