"""SIGTERM and SIGINT as an event that a program can wait for."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class Shutdown:
    """Whether and why the program should end. reason: the signal's name, once `requested` is set."""

    reason: str = ""
    requested: trio.Event = field(default_factory=trio.Event)

    def request(self, reason: str) -> None:
        """Request the end; the first reason counts."""
        self.reason = self.reason or reason
        self.requested.set()


@asynccontextmanager
async def shutdown_on_signal() -> AsyncIterator[Shutdown]:
    """Within the block, SIGTERM and SIGINT set the event instead of ending the process; for the main thread."""
    shutdown = Shutdown()
    with trio.open_signal_receiver(*SIGNALS) as received:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_receive, received, shutdown)
            yield shutdown
            nursery.cancel_scope.cancel()


async def _receive(received: AsyncIterator[int], shutdown: Shutdown) -> None:
    async for number in received:
        shutdown.request(signal.Signals(number).name)
