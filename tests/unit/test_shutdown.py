"""Signals as an event."""

from __future__ import annotations

import os
import signal

import pytest

from kaspa_node.shutdown import SIGNALS, Shutdown, shutdown_on_signal

pytestmark = pytest.mark.trio


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_sets_the_event_and_says_which(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    async with shutdown_on_signal() as shutdown:
        assert not shutdown.requested.is_set()
        os.kill(os.getpid(), number)
        await shutdown.requested.wait()
        assert shutdown.reason == number.name
    assert signal.getsignal(number) == before


async def test_a_second_signal_changes_nothing() -> None:
    shutdown = Shutdown()
    shutdown.request("SIGTERM")
    shutdown.request("SIGINT")
    assert shutdown.reason == "SIGTERM"
    await shutdown.requested.wait()


async def test_without_a_signal_the_block_just_ends() -> None:
    async with shutdown_on_signal() as shutdown:
        pass
    assert not shutdown.requested.is_set()
