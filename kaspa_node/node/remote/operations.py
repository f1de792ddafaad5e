"""The operations of a remote's keeper that take time: opening circuits, waiting for hole punches, opening sessions.

Each returns what came of it, with the errors of libp2p and Kaspa mapped to reasons.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from kaspa_node import milestones
from kaspa_node.journal import Journal
from kaspa_node.kaspa.errors import DuplicateConnection, KaspaError
from kaspa_node.node.backends.base import Backend, Session
from kaspa_node.node.remote import events
from kaspa_node.node.remote.events import PathRef
from kaspa_node.p2p.channel.connection import DIRECT, Connection
from kaspa_node.p2p.errors import ConnectionLost, NoReservation, P2PError, PunchFailed
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.path import Path
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.p2p.relay import circuit
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.reasons import (
    BACKEND_FAILED,
    EXCHANGE_FAILED,
    NO_RESERVATION,
    PATH_LOST,
    RELAY_REFUSED,
    SESSION_REFUSED,
    Reason,
)

# A path that does not answer a ping within this is dead.
ALIVE_SECONDS = 2.0

Take = Callable[[Connection], PathRef]
"""Owns a connection that was just opened."""


class Operations:
    """Those with one remote, `peer`."""

    def __init__(self, peer: str, host: Host, puncher: Puncher, backend: Backend, journal: Journal) -> None:
        self._peer = peer
        self._host = host
        self._puncher = puncher
        self._backend = backend
        self._journal = journal

    async def open_circuit(
        self, command: events.OpenCircuit, link: RelayLink | None, take: Take
    ) -> events.CircuitOpened | events.CircuitRefused:
        """A circuit over the relay of `link`."""
        relay = None if link is None else link.live
        if link is None or relay is None:
            return _no_circuit(command.op, "the relay is not connected")
        self._puncher.decline(self._peer, not command.punch)
        addr = link.address.circuit_to(self._peer)
        self._journal.record(milestones.DIAL_STARTED, addr=addr, peer=self._peer, run=command.run)
        started = trio.current_time()
        try:
            connection = await circuit.dial(self._host, relay, self._peer)
        except NoReservation:
            return events.CircuitRefused(command.op, Reason(NO_RESERVATION), missing=True)
        except P2PError as error:
            return _no_circuit(command.op, str(error))
        self._journal.record(
            milestones.CIRCUIT_OUTBOUND,
            relay=connection.route.relay,
            peer=self._peer,
            conn=connection.id,
            seconds=round(trio.current_time() - started, 4),
            run=command.run,
        )
        return events.CircuitOpened(command.op, take(connection))

    async def punch(self, command: events.Punch, path: Path, take: Take) -> events.PunchSucceeded | events.PunchFailed:
        """The direct connection that the hole punch of a circuit brings."""
        relayed = path.connection
        try:
            direct = await self._puncher.direct(relayed)
        except P2PError as error:
            reason = error.reason if isinstance(error, PunchFailed) else Reason(EXCHANGE_FAILED, problem=error)
            return events.PunchFailed(command.op, reason, self._puncher.progress(relayed).attempts)
        attempts = self._puncher.progress(relayed).attempts
        return events.PunchSucceeded(command.op, take(direct), attempts)

    async def open_session(
        self, command: events.OpenSession, connection: Connection
    ) -> Session | events.SessionRefused:
        """A session on a connection."""
        try:
            return await self._backend.open(connection, command.run)
        except P2PError as error:
            duplicate, reason = False, Reason(PATH_LOST, problem=str(error))
        except KaspaError as error:
            duplicate = isinstance(error, DuplicateConnection)
            reason = Reason(SESSION_REFUSED, problem=str(error))
        except OSError as error:
            duplicate, reason = False, Reason(BACKEND_FAILED, problem=str(error))
        return events.SessionRefused(command.op, reason, duplicate, await self.is_starved(connection))

    async def is_starved(self, connection: Connection) -> bool:
        """Whether nothing comes through a connection any more, or came when it ended."""
        starved = await _is_starved(connection)
        if starved and connection.route.path == DIRECT:
            self._puncher.starved(connection.remote)
        return starved


async def _is_starved(connection: Connection) -> bool:
    if connection.closed.is_set():
        return connection.starved
    try:
        with trio.move_on_after(ALIVE_SECONDS) as waiting:
            await connection.ping()
    except ConnectionLost:
        return connection.starved
    return waiting.cancelled_caught


def _no_circuit(op: int, problem: str) -> events.CircuitRefused:
    return events.CircuitRefused(op, Reason(RELAY_REFUSED, answers=problem), missing=False)
