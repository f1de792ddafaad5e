"""Memory is given back once for many connections, and again for later ones."""

from __future__ import annotations

import ctypes
import gc
import platform
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from kaspa_node.p2p import memory
from kaspa_node.p2p.memory import PAUSE_SECONDS, Tidier

MEBIBYTE = 1 << 20


@pytest.mark.trio
async def test_connections_that_end_together_are_tidied_up_after_together(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[float] = []
    monkeypatch.setattr(memory, "give_back", lambda: times.append(trio.current_time()))
    async with trio.open_nursery() as nursery:
        tidier = Tidier(nursery.start_soon)
        for _ in range(100):
            tidier.connection_ended()
        await trio.sleep(3 * PAUSE_SECONDS)
        tidier.connection_ended()
    assert times == [PAUSE_SECONDS, 4 * PAUSE_SECONDS]


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc holds memory back, and can return it")
def test_what_was_freed_between_what_stays_is_returned() -> None:
    held = [b"x" * (64 * 1024) for _ in range(2000)]
    kept = held[::10]
    full = resident()
    del held
    gc.collect()
    assert memory.give_back()
    assert full - resident() > 80 * MEBIBYTE
    assert len(kept) == 200


def test_a_c_library_that_cannot_return_memory_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Callable[[None], object] = lambda name: object()  # noqa: E731
    monkeypatch.setattr(ctypes, "CDLL", made)
    assert not memory.give_back()
