"""Keeping a Kaspa session with one remote, or the path for others' sessions: dial, punch, hand over, and again."""

from __future__ import annotations

import random
from dataclasses import dataclass

import trio

from kaspa_node import milestones
from kaspa_node.constants import RELAY_ONLY
from kaspa_node.errors import RequestFailed
from kaspa_node.journal import Journal
from kaspa_node.kaspa.errors import KaspaError
from kaspa_node.node.backends.base import Backend, Session
from kaspa_node.node.requests import SessionRequest
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED, Connection
from kaspa_node.p2p.dial import PUNCHING, Dialer, Reached
from kaspa_node.p2p.errors import DialError, P2PError
from kaspa_node.p2p.host import Host
from kaspa_node.settings.values import Remote

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
# The relayed connection is closed this long after the session stands on the direct one: the remote may still be
# counting its own last bytes on it.
RELAY_GRACE_SECONDS = 0.2
# A relayed session is worth another punch: soon, where packets were lost or a machine was slow, and then now and then,
# as NAT and firewall rules change, and laptops move.
FIRST_RETRY_DIRECT, LONGEST_RETRY_DIRECT = 10.0, 300.0
# A punch that is broken off costs the next one its first attempt (p2p/punch/spare_port.py); most take a moment only.
PUNCH_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Established:
    """What stands, and how it came about. ready_at: when it did (trio's clock)."""

    standing: Session
    reached: Reached
    ready_at: float

    def reply(self, peer: str, run: str | None) -> dict[str, object]:
        """The answer to whoever asked for the session."""
        reached, standing = self.reached, self.standing
        direct, heard = standing.path == DIRECT, standing.first_byte_at
        first = heard - reached.relayed_at if direct and heard else None
        return {
            "session": standing.session,
            "conn": reached.connection.id,
            "path": standing.path,
            "peer_id": peer,
            "run": run,
            "timings": {
                "relayed_dial": round(reached.relayed_seconds, 4),
                "punch": _rounded(reached.direct_seconds),
                "first_direct": _rounded(first),
                "handshake": _rounded(standing.handshake_seconds),
                "dial_to_ready": round(self.ready_at - reached.started, 4),
            },
            "punch": {
                "attempts": reached.attempts,
                "succeeded": reached.direct_seconds is not None,
                "reason": reached.reason,
            },
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


class RemoteKeeper:
    """One remote's keeper.

    state: waiting, dialing, punching, relayed, direct or backoff. reason: of the last failure, or why not direct.
    """

    def __init__(
        self, remote: Remote, policy: str, dialer: Dialer, backend: Backend, host: Host, journal: Journal
    ) -> None:
        self.remote = remote
        self.reason: str | None = None
        self._policy = policy
        self._dialer = dialer
        self._backend = backend
        self._host = host
        self._journal = journal
        self._latest: Session | None = None
        # Under the latest.
        self._connection: Connection | None = None
        self._retry_direct = FIRST_RETRY_DIRECT
        self._busy = False
        self._dismissed = False
        self._turn = trio.Lock()
        self._attempt = trio.CancelScope()
        self._rest = trio.CancelScope()

    @property
    def state(self) -> str:
        """How far the remote is."""
        standing = self._standing()
        if standing is not None:
            return standing.path
        return self._dialer.state if self._busy else "backoff"

    def _standing(self) -> Session | None:
        return self._latest if self._latest is not None and not self._latest.closed.is_set() else None

    # Told by the settings

    def aim(self, remote: Remote, policy: str, dialer: Dialer) -> None:
        """Go by these from the next dial on. What stands where they don't want it is moved, once that can be done."""
        self.remote, self._policy, self._dialer = remote, policy, dialer
        self._retry_direct = FIRST_RETRY_DIRECT
        self._attempt.cancel()
        self._rest.cancel()

    def dismiss(self) -> None:
        """The remote is wanted no more: whoever still waits for a session with it gets none."""
        self._dismissed = True

    def _misplaced(self, standing: Session) -> bool:
        """Whether what stands is to be moved."""
        wanted = RELAYED if self._policy == RELAY_ONLY else DIRECT
        return standing.path != wanted or (wanted == RELAYED and not self._well_relayed())

    def _well_relayed(self) -> bool:
        """Whether what stands runs over a relay that is dialed through now."""
        return self._connection is not None and self._dialer.runs_over(self._connection)

    # By itself

    async def run(self) -> None:
        """Keep it until cancelled."""
        pause = FIRST_PAUSE
        while True:
            standing = self._standing()
            if standing is not None:
                pause = FIRST_PAUSE
                await self._hold(standing)
                continue
            with trio.CancelScope() as self._attempt:
                if not await self._try():
                    await trio.sleep(pause * (1 + random.random() / 5))
                    pause = min(pause * 2, LONGEST_PAUSE)
            if self._attempt.cancelled_caught:
                pause = FIRST_PAUSE

    async def _try(self) -> bool:
        async with self._turn:
            if self._standing() is not None:
                return True
            self._retry_direct = FIRST_RETRY_DIRECT
            try:
                await self._establish(self._policy, None)
            except (P2PError, KaspaError, OSError) as error:
                self._failed(error, None)
                return False
        return True

    async def _hold(self, standing: Session) -> None:
        """Until it ends, or is to be looked at again. What stands on the wrong path is tried again on the right one."""
        patience = self._retry_direct if self._misplaced(standing) else float("inf")
        with trio.move_on_after(patience) as self._rest:
            await standing.closed.wait()
            return
        if not self._misplaced(standing):
            return
        self._retry_direct = min(self._retry_direct * 2, LONGEST_RETRY_DIRECT)
        async with self._turn:
            if self._standing() is not standing:
                return
            try:
                await self._move(standing, await self._dialer.reach(self._policy, None))
            except (P2PError, KaspaError, OSError) as error:
                self._failed(error, None)

    async def _move(self, standing: Session, reached: Reached) -> None:
        """From where it stands to where the dial has led, if that is better."""
        old, path = self._connection, reached.connection.route.path
        if path != standing.path:
            await self._hand_over(reached, None)
            await standing.retire(f"moved to the {'direct path' if path == DIRECT else 'relay'}")
        elif path == RELAYED and not self._well_relayed():
            # Kaspa knows a relayed peer by one address, whatever the relay: the remote would refuse a second session.
            await standing.retire("moved to another relay")
            await self._hand_over(reached, None)
        else:
            reached.relayed.close("not needed: still no direct path")
            return
        if old is not None and not self._backend.uses(old):
            old.close("the session has moved")

    def _failed(self, error: Exception, run: str | None) -> None:
        self.reason = str(error)
        self._journal.record(milestones.DIAL_FAILED, peer=self.remote.peer_id, reason=self.reason, run=run)

    # When asked

    async def fresh(self, request: SessionRequest) -> dict[str, object]:
        """A new session, from the dial through the relay on; what stands is ended. Raises RequestFailed.

        What it waited for when the time is over stands in the error.
        """
        run = request.run
        established: Established | None = None
        try:
            with trio.fail_after(request.timeout):
                await self._break_off()
                async with self._turn:
                    # Whoever asked is going to look at this session, and at what the relay counts.
                    self._retry_direct = LONGEST_RETRY_DIRECT
                    await self._drop("a fresh session was asked for")
                    established = await self._establish(request.policy or self._policy, run)
                    if established.standing.path == DIRECT:
                        await self._circuit_gone(established.reached.relayed)
                if request.stream:
                    await established.standing.used()
        except trio.TooSlowError as error:
            reason = f"no session within {request.timeout:.0f} s: {self._lacking(established)}"
            self._failed(RequestFailed(reason), run)
            raise RequestFailed(reason) from error
        except (P2PError, KaspaError, OSError) as error:
            self._failed(error, run)
            raise RequestFailed(str(error)) from error
        return established.reply(self.remote.peer_id, run)

    async def _break_off(self) -> None:
        """End the attempt that runs, but let a punch that has begun come to its end."""
        if self._busy and self._dialer.state == PUNCHING:
            with trio.move_on_after(PUNCH_PATIENCE):
                async with self._turn:
                    pass
        self._attempt.cancel()

    def _lacking(self, established: Established | None) -> str:
        if established is None:
            return f"{self._dialer.state} ({self._dialer.reason or 'no answer'})"
        return f"the path stands ({established.standing.path}), and no local program had an answer over it"

    async def _circuit_gone(self, relayed: Connection) -> None:
        """Until the relay has seen the end of the circuit: whoever asked is going to look at the relay's counters."""
        await relayed.closed.wait()
        for relay in self._host.connections.of(relayed.route.relay or ""):
            if relay.route.local == relayed.route.local:
                # Its answer comes behind the end of the circuit's stream, on the same connection.
                await relay.ping()
                return

    async def _drop(self, reason: str) -> None:
        standing = self._standing()
        if standing is not None:
            with trio.move_on_after(2.0):
                await standing.disconnect(reason)
        self._latest = None
        gone = list(self._host.connections.of(self.remote.peer_id))
        for connection in gone:
            connection.close(reason)

    # Both

    async def _establish(self, policy: str, run: str | None) -> Established:
        self._busy = True
        try:
            reached = await self._dialer.reach(policy, run)
            return await self._hand_over(reached, run)
        finally:
            self._busy = False

    async def _hand_over(self, reached: Reached, run: str | None) -> Established:
        """Use the connection that was reached."""
        if self._dismissed:
            reached.relayed.close("no longer one of the remotes")
            raise DialError("no longer one of the remotes")
        self._latest = standing = await self._backend.open(reached.connection, run)
        self._connection = reached.connection
        self.reason = reached.reason
        if standing.path == DIRECT:
            self._host.start_soon(self._close_relayed, reached.relayed)
        return Established(standing, reached, trio.current_time())

    async def _close_relayed(self, relayed: Connection) -> None:
        with trio.move_on_after(RELAY_GRACE_SECONDS):
            await relayed.closed.wait()
        relayed.close("the direct connection carries the session")
