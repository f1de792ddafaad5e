"""The keeper of a remote on loopback, with a backend that takes every path that it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from kaspa_node.errors import RequestFailed
from kaspa_node.kaspa.errors import KaspaError
from kaspa_node.node.remote.keeper import RemoteKeeper
from kaspa_node.node.requests import SessionRequest
from kaspa_node.p2p.channel.connection import RELAYED, Connection
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.settings.values import Remote
from tests.integration.world import PATIENCE, Party


class PathSession:
    """A session that says nothing. closed: set to end it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.closed = trio.Event()
        self.reason = ""
        self.path = connection.route.path
        self.session: str | None = f"{connection.id}.1"
        self.handshake_seconds: float | None = None
        self.first_byte_at: float | None = None

    async def used(self) -> None:
        """It is in use from the first."""

    async def disconnect(self, reason: str) -> None:
        """End it."""
        self.reason = reason
        self.closed.set()
        await trio.lowlevel.checkpoint()

    retire = disconnect


class PathBackend:
    """Stands in for a backend. refuses: the error of the next sessions, or None. opened: the sessions so far."""

    def __init__(self) -> None:
        self.refuses: KaspaError | None = None
        self.opened: list[PathSession] = []
        self.tries = 0

    def serves(self, connection: Connection) -> bool:
        """Nobody opens streams here."""
        return False

    async def open(self, connection: Connection, run: str | None) -> PathSession:
        """A session on the connection."""
        await trio.lowlevel.checkpoint()
        self.tries += 1
        if self.refuses is not None:
            raise self.refuses
        self.opened.append(PathSession(connection))
        return self.opened[-1]


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a request has brought. relayed_id: the connection through the relay."""

    connection: Connection
    answer: dict[str, Any]

    @property
    def attempts(self) -> int:
        """Hole punches begun."""
        return int(self.answer["punch"]["attempts"])


class Dialer:
    """Asks the keeper of one remote for sessions."""

    def __init__(self, party: Party, peer: str, policy: str, backend: PathBackend) -> None:
        self.backend = backend
        self.keeper = RemoteKeeper(
            Remote(name="remote", peer_id=peer, addrs=(), listen=None),
            policy,
            party.links,
            host=party.host,
            puncher=party.puncher or Puncher(party.host, party.vantage, party.journal),
            backend=backend,  # type: ignore[arg-type]
            journal=party.journal,
        )

    async def reach(self, run: str | None = None, policy: str | None = None) -> Fresh:
        """A fresh session. Raises RequestFailed."""
        answer = await self.keeper.fresh(SessionRequest("remote", run, policy, PATIENCE))
        return Fresh(self.backend.opened[-1].connection, answer)

    async def refused(self, run: str | None = None, policy: str | None = None) -> str:
        """Why there is none."""
        try:
            await self.reach(run, policy)
        except RequestFailed as error:
            return str(error)
        raise AssertionError("there is a session")

    def relayed(self) -> bool:
        """Whether the session is a relayed one."""
        return self.keeper.state == RELAYED


@asynccontextmanager
async def dialing(party: Party, peer: str, policy: str) -> AsyncIterator[Dialer]:
    """Keep the remote for as long as the block lasts; nothing of it is left then."""
    dialer = Dialer(party, peer, policy, PathBackend())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dialer.keeper.run)
        yield dialer
        dialer.keeper.dismiss()
        with trio.move_on_after(PATIENCE):
            while dialer.keeper.state in ("direct", "relayed"):
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert party.host.connections.of(peer) == []
