"""Hole punches of one host: a Punch for each relayed connection, and what is remembered of each peer between them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import trio

from kaspa_node import reasons
from kaspa_node.journal import Journal
from kaspa_node.p2p.channel.connection import INCOMING, RELAYED, Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import PunchFailed
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.identify import PeerInfo
from kaspa_node.p2p.punch import exchange
from kaspa_node.p2p.punch.running import Means, Punch
from kaspa_node.p2p.punch.spare_port import spare_port
from kaspa_node.p2p.punch.vantage import Vantage
from kaspa_node.reasons import Reason

# After a failed attempt, routers may drop packets between the same ports for this long (spare_port.py).
BARRED_SECONDS = 125.0
# A path that drops full-size packets goes on doing so. Small segments cost little, a full-size attempt costs 3 s.
SMALL_SECONDS = 3600.0
# A direct connection that stops to work this soon after it was opened may have died of full-size packets.
YOUNG_SECONDS = 60.0
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the punch that belongs to one relayed connection has come.

    attempts: begun so far. over: nothing more is tried. reason: why the last attempt failed, or None.
    segment: the largest TCP segment of the direct connection in bytes, if the punch had to limit it.
    """

    attempts: int
    over: bool
    reason: Reason | None
    segment: int | None = None


class _Memory:
    """Peers for which something holds for a while. most: peers to remember, the latest."""

    def __init__(self, seconds: float, most: int = REMEMBERED) -> None:
        self._seconds = seconds
        self._most = most
        self._until: dict[str, float] = {}

    def add(self, peer: str) -> None:
        self._until.pop(peer, None)
        self._until[peer] = trio.current_time() + self._seconds
        if len(self._until) > self._most:
            del self._until[next(iter(self._until))]

    def __contains__(self, peer: object) -> bool:
        return isinstance(peer, str) and self._until.get(peer, 0.0) > trio.current_time()


class Puncher:
    """Runs the hole punches, and reports their progress.

    vantage: gives that of first attempts, and of those that the remote begins.
    barred: peers with which attempts go from a spare port from the first on. small: peers on whose path full-size
    packets are lost.
    """

    def __init__(self, host: Host, vantage: Callable[[], Vantage], journal: Journal) -> None:
        self.barred = _Memory(BARRED_SECONDS)
        self.small = _Memory(SMALL_SECONDS)
        self._host = host
        self._vantage = vantage
        self._journal = journal
        self._punches: dict[Connection, Punch] = {}
        # How the latest punches ended, by the id of their relayed connection.
        self._ended: dict[str, Progress] = {}
        self._declined: set[str] = set()
        self._nursery: trio.Nursery | None = None
        host.listener.fills_segments = True
        host.protocols.serve(exchange.PROTOCOL, self._answer, lambda peer: peer not in self._declined)
        host.connections.up.append(self._connection_up)
        host.connections.down.append(self._connection_down)
        host.pushed.append(self._pushed)

    async def run(self) -> None:
        """Punch until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await trio.sleep_forever()
        finally:
            self._nursery = None

    # What others ask

    def progress(self, relayed: Connection) -> Progress:
        """How far the punch of a relayed connection has come."""
        punch = self._punches.get(relayed)
        if punch is not None:
            return _progress(punch)
        return self._ended.get(relayed.id) or Progress(0, over=True, reason=_lost(relayed))

    def decline(self, peer: str, declined: bool) -> None:
        """Whether attempts of `peer` are refused, because the relay is wanted and nothing else."""
        if declined:
            self._declined.add(peer)
        else:
            self._declined.discard(peer)

    def starved(self, peer: str) -> None:
        """A young direct connection to `peer` carried nothing: the next punches use small segments.

        Others send no filler in their handshakes, so the handshake alone does not show whether full-size packets of
        theirs arrive.
        """
        self.small.add(peer)

    async def direct(self, relayed: Connection) -> Connection:
        """The direct connection that the punch of `relayed` brings. Raises PunchFailed once the punch has failed.

        A direct connection that existed before counts if it has answered a ping during the punch.
        """
        punch = self._punches.get(relayed)
        if punch is None:
            raise PunchFailed(_lost(relayed))
        while (outcome := punch.machine.outcome) is None:
            await punch.changed.park()
        if outcome.reason is not None:
            raise PunchFailed(outcome.reason)
        direct = self._host.connections.named(relayed.remote, outcome.connection)
        if direct is None:
            raise PunchFailed(Reason(reasons.DIRECT_LOST))
        return direct

    def status(self) -> list[dict[str, Any]]:
        """The punches of the relayed connections that are up, as JSON values."""
        return [_shown(relayed, _progress(punch)) for relayed, punch in self._punches.items()]

    # What happens

    def _connection_up(self, connection: Connection) -> None:
        peer = connection.remote
        if connection.route.path != RELAYED:
            for punch in self._of(peer):
                punch.direct_up(connection)
        elif self._nursery is not None:
            means = Means(self._host, self._nursery, self._journal, self._vantage, self._spare)
            punch = Punch(
                means,
                connection,
                barred=peer in self.barred,
                small=peer in self.small,
                failed=lambda: self._failed(connection),
            )
            self._punches[connection] = punch
            punch.begin()

    def _connection_down(self, connection: Connection) -> None:
        if connection.route.path == RELAYED:
            if (punch := self._punches.pop(connection, None)) is not None:
                punch.end()
                if punch.learned_small:
                    self.small.add(connection.remote)
                self._ended[connection.id] = _progress(punch)
                if len(self._ended) > REMEMBERED:
                    del self._ended[next(iter(self._ended))]
            return
        if connection.starved and trio.current_time() - connection.since < YOUNG_SECONDS:
            self.starved(connection.remote)
        for punch in self._of(connection.remote):
            punch.direct_down(connection)

    def _of(self, peer: str) -> list[Punch]:
        """The punches with one peer whose relayed connections are up."""
        return [punch for each in self._host.connections.of(peer) if (punch := self._punches.get(each)) is not None]

    def _spare(self, relay: str) -> AbstractAsyncContextManager[Vantage | None]:
        return spare_port(self._host, relay)

    def _failed(self, relayed: Connection) -> None:
        if relayed.route.direction == INCOMING:
            self.barred.add(relayed.remote)
        if (punch := self._punches.get(relayed)) is not None and punch.learned_small:
            self.small.add(relayed.remote)

    def _pushed(self, peer: str, info: PeerInfo) -> None:
        if exchange.PROTOCOL in info.protocols:
            for punch in self._of(peer):
                punch.named()

    async def _answer(self, stream: Stream) -> None:
        punch = self._punches.get(stream.connection)
        if punch is None:
            stream.reset()
            return
        await punch.answer(stream)


def _progress(punch: Punch) -> Progress:
    machine = punch.machine
    return Progress(machine.attempts, machine.outcome is not None, machine.reason, punch.segment)


def _lost(relayed: Connection) -> Reason:
    return Reason(reasons.CIRCUIT_LOST, why=relayed.reason or "its circuit is gone")


def _shown(relayed: Connection, progress: Progress) -> dict[str, Any]:
    return {
        "peer_id": relayed.remote,
        "relayed": relayed.id,
        "attempts": progress.attempts,
        "over": progress.over,
        **reasons.as_json(progress.reason),
        "segment": progress.segment,
    }
