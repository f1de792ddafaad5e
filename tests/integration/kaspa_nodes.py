"""Kaspa nodes that meet over unix sockets, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import trio

from kaspa_node.kaspa import synthetic
from kaspa_node.kaspa.config import KaspaConfig, Transport
from kaspa_node.kaspa.peer_session import KaspaSession
from kaspa_node.kaspa.service import KaspaService
from tests.unit.kaspa.shells import RecordingJournal

PATIENCE = 30
"""Seconds after which a test that waits for an event has failed."""


class Node:
    """A service, its journal, and the sessions that it is done with. caller: the peer id of who calls next."""

    def __init__(self, name: str, config: KaspaConfig) -> None:
        self.name = name
        self.journal = RecordingJournal()
        self.done: list[KaspaSession] = []
        self.caller: str | None = None
        self.service = KaspaService(config, self.journal, self._on_closed)
        self._numbers = count(1)
        self._change = trio.Event()

    def transport(self, direction: str, peer: str, path: str = "direct") -> Transport:
        """A new connection with `peer`."""
        session = f"{self.name}.{next(self._numbers)}"
        return Transport(session, peer, path, direction, synthetic.socket_address(peer, path))  # type: ignore[arg-type]

    def admit(self, caller: str) -> Transport | None:
        """Take every caller for one more peer."""
        self._notify()
        return self.transport("incoming", self.caller or f"somebody-{len(self.service.sessions)}-{len(self.done)}")

    async def closed(self, number: int) -> KaspaSession:
        """The session that was the `number`th to be gone."""
        while len(self.done) < number:
            await self._change.wait()
        return self.done[number - 1]

    async def session(self) -> KaspaSession:
        """The one session that there is, once it is there."""
        while not self.service.sessions:
            await self._change.wait()
            await trio.lowlevel.checkpoint()
        (session,) = self.service.sessions.values()
        return session

    def _on_closed(self, session: KaspaSession) -> None:
        self.done.append(session)
        self._notify()

    def _notify(self) -> None:
        self._change.set()
        self._change = trio.Event()


class Meeting:
    """A client node, a server node, and where the server listens."""

    def __init__(self, directory: Path, client: KaspaConfig, server: KaspaConfig) -> None:
        self.client = Node("client", client)
        self.server = Node("server", server)
        self.path = str(directory / "kaspa.sock")
        self.target = f"unix:{self.path}"

    async def connect(self, peer: str = "server", path: str = "direct") -> KaspaSession:
        """A session from the client to the server."""
        return await self.client.service.connect(self.target, self.client.transport("outgoing", peer, path))


@asynccontextmanager
async def meeting(
    directory: Path, client: KaspaConfig | None = None, server: KaspaConfig | None = None
) -> AsyncIterator[Meeting]:
    """Both nodes run, and the server listens, within the block."""
    nodes = Meeting(directory, client or KaspaConfig(), server or KaspaConfig())
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(nodes.client.service.run)
            await nursery.start(nodes.server.service.run)
            await nursery.start(nodes.server.service.serve, nodes.path, nodes.server.admit)
            yield nodes
            nursery.cancel_scope.cancel()
