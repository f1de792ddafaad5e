"""The way to a remote: through a relay, then through the NATs, by policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from kaspa_node import milestones
from kaspa_node.constants import DIRECT_ONLY, RELAY_ONLY
from kaspa_node.journal import Journal
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.errors import DialError, NoReservation, P2PError
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.p2p.relay import circuit
from kaspa_node.p2p.reservation.link import RelayLink

WAITING, DIALING, PUNCHING = "waiting", "dialing", "punching"

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Reached:
    """A way to a remote.

    connection: carries the Kaspa stream. relayed: the connection through the relay that led there.
    relayed_seconds: start of the dial through the relay until it stood. direct_seconds: from then until the direct
    connection stood, or None. attempts: hole punches begun. reason: why the connection is not direct, or None.
    started, relayed_at: on the caller's clock.
    """

    connection: Connection
    relayed: Connection
    started: float
    relayed_at: float
    direct_seconds: float | None
    attempts: int
    reason: str | None

    @property
    def relayed_seconds(self) -> float:
        """Start of the dial through the relay until the relayed connection stood."""
        return self.relayed_at - self.started


class Dialer:
    """Finds the way to one remote. `state` says how far it is: waiting, dialing, punching."""

    def __init__(self, host: Host, peer: str, links: Sequence[RelayLink], puncher: Puncher, journal: Journal) -> None:
        self.state = DIALING
        self.reason: str | None = None
        self._host = host
        self._peer = peer
        self._links = links
        self._puncher = puncher
        self._journal = journal

    def runs_over(self, connection: Connection) -> bool:
        """Whether a relayed connection runs over one of the relays as they stand now."""
        return any(link.carries(connection) for link in self._links)

    async def reach(self, policy: str, run: str | None) -> Reached:
        """A connection to the remote by `policy`. Waits for its reservation as long as it takes. Raises P2PError."""
        self.reason = None
        self._puncher.decline(self._peer, policy == RELAY_ONLY)
        relayed, started = await self._relayed(run)
        relayed_at = trio.current_time()
        self._journal.record(
            milestones.CIRCUIT_OUTBOUND,
            relay=relayed.route.relay,
            peer=self._peer,
            conn=relayed.id,
            seconds=round(relayed_at - started, 4),
            run=run,
        )
        if policy == RELAY_ONLY:
            return Reached(relayed, relayed, started, relayed_at, None, 0, "the policy is relay-only")
        self.state = PUNCHING
        try:
            direct = await self._puncher.direct(relayed)
        except DialError as error:
            self.reason = str(error)
            if policy == DIRECT_ONLY:
                relayed.close("no direct path, and the policy is direct-only")
                raise DialError(f"no direct path: {error}") from error
            relayed.check()
            self._journal.record(milestones.PATH_FALLBACK, peer=self._peer, reason=str(error), run=run)
            attempts = self._puncher.progress(relayed).attempts
            return Reached(relayed, relayed, started, relayed_at, None, attempts, str(error))
        attempts = self._puncher.progress(relayed).attempts
        return Reached(direct, relayed, started, relayed_at, trio.current_time() - relayed_at, attempts, None)

    async def _relayed(self, run: str | None) -> tuple[Connection, float]:
        """The connection through the first relay that has the remote's reservation, and when its dial started."""
        pause = FIRST_PAUSE
        while True:
            missing: list[RelayLink] = []
            problems: list[str] = []
            self.state = DIALING
            await self._any_relay()
            for link in self._links:
                relay = link.standing
                if relay is None:
                    problems.append(f"through {link.address.addr}: {link.keeper.reason or 'not connected yet'}")
                    continue
                started = trio.current_time()
                addr = link.address.circuit_to(self._peer)
                self._journal.record(milestones.DIAL_STARTED, addr=addr, peer=self._peer, run=run)
                try:
                    return await circuit.dial(self._host, relay, self._peer), started
                except NoReservation:
                    missing.append(link)
                except P2PError as error:
                    problems.append(f"through {link.address.addr}: {error}")
            if not missing:
                raise DialError("; ".join(problems) or "no relay is configured for it")
            self.state = WAITING
            self.reason = "the relay has no reservation for it"
            self._journal.record(
                milestones.DIAL_WAITING, peer=self._peer, relay=missing[0].peer_id, delay=pause, run=run
            )
            await trio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _any_relay(self) -> None:
        """Wait for the first of the relays, so that one that is down does not stand before one that is up."""
        if not self._links:
            return
        async with trio.open_nursery() as nursery:

            async def wait(link: RelayLink) -> None:
                await link.connection()
                nursery.cancel_scope.cancel()

            for link in self._links:
                nursery.start_soon(wait, link)
