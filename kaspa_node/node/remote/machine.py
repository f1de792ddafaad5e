"""The life of a remote, without a socket and without a clock: attempts, sessions, requests, and what follows their end.

        ┌──────────────── session lost: at once, or after a pause that grows ───────────────┐
        ▼                                                                                    │
    no session ──attempt──▶ opened ──▶ session, direct ──────────────────────────────────────┤
        ▲  │                     └───▶ session, relayed ──later, more and more rarely──▶ attempt to improve
        │  └─failed─▶ backoff ─┐              ▲                    │                         │
        └──────── time ────────┘              └─── not better ─────┴───── direct ──▶ session, direct

At most one attempt runs at a time. A request for a fresh session ends what there is and comes before everything else.
New settings end an attempt of old ones. While the remote has a session with us that it opened, it is not dialed; and a
relayed session of ours ends if that of the remote is direct.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count

from kaspa_node.constants import RELAY_ONLY
from kaspa_node.node.remote import attempt as attempts
from kaspa_node.node.remote import events
from kaspa_node.node.remote.attempt import Attempt, Replaced
from kaspa_node.node.remote.direct_bar import DirectBar
from kaspa_node.node.remote.events import Command, Current, Event, Outcome
from kaspa_node.node.remote.relay_choice import RelayChoice
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED
from kaspa_node.reasons import NO_LONGER_WANTED, SESSION_ENDED, Reason

WAITING, DIALING, PUNCHING, BACKOFF = "waiting", "dialing", "punching", "backoff"

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
# As many are counted as make the pause the longest.
MOST_FAILURES = 7
# A session that lasted this long (seconds) was a good one: the next attempt after its end begins at once.
STEADY_SECONDS = 60.0
# A relayed session is worth another punch: soon, because packets get lost and machines are slow, and then now and then,
# because NAT and firewall rules change, and laptops move.
FIRST_IMPROVE, LONGEST_IMPROVE = 10.0, 300.0
# If a direct path is waited for, the next try comes earlier, but not more often than this.
WANTED_GAP = 5.0
# A punch that is broken off costs the next one its first attempt (p2p/punch/spare_port.py); most take a moment only.
PUNCH_PATIENCE = 2.0

FOREVER = float("inf")
_GONE = Reason(NO_LONGER_WANTED)
_FRESH = "a fresh session was asked for"


class RemoteMachine:
    """jitter: gives a number from 0 to 1. yields: of two that dial each other at once, this side waits longer.

    reason: why there is no session, or why it is not direct; None if all is well.
    """

    def __init__(self, *, jitter: Callable[[], float], yields: bool) -> None:
        self.current: Current | None = None
        self.reason: Reason | None = None
        self._jitter = jitter
        self._yields = yields
        self._choice = RelayChoice()
        self._numbers = count(1)
        self._generation = 0
        self._policy: str | None = None
        self._attempt: Attempt | None = None
        self._requests: deque[events.Requested] = deque()
        # The request that the attempt serves, or None if it is one of our own.
        self._asked: events.Requested | None = None
        self._remote_session: str | None = None
        self._ending: int | None = None
        self._failures = 0
        self._next_at = float("-inf")
        self._improve_at = FOREVER
        self._improve_pause = FIRST_IMPROVE
        self._improved_at = float("-inf")
        self._patience_until = FOREVER
        self._bar = DirectBar()

    # What others see

    @property
    def state(self) -> str:
        """waiting, dialing, punching, relayed, direct or backoff."""
        if self.current is not None:
            return self.current.path.kind
        if self._remote_session is not None:
            return self._remote_session
        if self._attempt is None:
            return BACKOFF
        if self._attempt.phase == attempts.WAIT:
            return WAITING
        direct = self._attempt.path is not None and self._attempt.path.kind == DIRECT
        return PUNCHING if direct or self._attempt.phase == attempts.PUNCH else DIALING

    @property
    def waits_for(self) -> Reason | None:
        """What the attempt that runs waits for, if it is known; else why there is nothing better.

        None while the remote has a session with us, because the remote decides on its path.
        """
        if self.current is None and self._remote_session is not None:
            return None
        return (self._attempt.reason if self._attempt is not None else None) or self.reason

    @property
    def improving(self) -> bool:
        """Whether an attempt runs."""
        return self._attempt is not None

    @property
    def done(self) -> bool:
        """Whether the remote is no longer wanted, and nothing of it is left."""
        return self._policy is None and self.current is None and self._ending is None

    @property
    def wake_at(self) -> float:
        """When `tick` has something to do."""
        if self._attempt is not None:
            yields = self._requests and self._asked is None
            return min(self._attempt.wake_at, self._patience_until if yields else FOREVER)
        if self._policy is None or self._requests:
            return FOREVER
        if self.current is None:
            return FOREVER if self._remote_session is not None or self._ending is not None else self._next_at
        return self._improve_at if self._misplaced(self.current) else FOREVER

    # What happens

    def tick(self, now: float) -> list[Command]:
        """Time has gone by."""
        return self._proceed(now)

    def rest(self, reason: Reason) -> list[Command]:
        """Try nothing more; a session that there is goes on."""
        asked = [*self._requests] if self._asked is None else [self._asked, *self._requests]
        out = self._cancel_attempt(str(reason))
        out += [events.Answer(request.request, reason) for request in asked]
        self._requests.clear()
        self._policy = None
        return out

    def dismiss(self) -> list[Command]:
        """The remote is no longer wanted."""
        out = self.rest(_GONE)
        if self.current is not None:
            out += self._end_current(str(_GONE))
        return out

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take one event; returns what is to be done."""
        return [*self._take(event, now), *self._proceed(now)]

    def _take(self, event: Event, now: float) -> list[Command]:
        match event:
            case events.Aimed():
                return self._aim(event, now)
            case events.RelayUp():
                self._choice.up(event.relay, event.round_trip)
            case events.RelayDown():
                self._choice.down(event.relay, event.reason)
            case events.SessionEnded():
                return self._session_ended(event, now)
            case events.Requested():
                self._requests.append(event)
                self._patience_until = now + PUNCH_PATIENCE
            case events.Abandoned():
                return self._abandon(event.request, now)
            case events.RemoteSession():
                self._remote_changed(event.kind, now)
            case events.DirectWanted():
                asked = self.current is not None and self.current.asked
                if not asked and now >= self._improved_at + WANTED_GAP:
                    self._improve_at = min(self._improve_at, now)
            case events.SessionRetired():
                if self.current is not None and self.current.session == event.session:
                    # It takes nothing new, and ends by itself.
                    self.current = None
                return [] if self._attempt is None else self._attempt.handle(event, now)
            case events.PathLost():
                return [] if self._attempt is None else self._attempt.handle(event, now)
            case _:
                return self._result(event, now)
        return []

    def _result(
        self,
        event: events.CircuitOpened
        | events.CircuitRefused
        | events.PunchSucceeded
        | events.PunchFailed
        | events.SessionOpened
        | events.SessionRefused,
        now: float,
    ) -> list[Command]:
        if self._attempt is not None and self._attempt.waits_for == event.op:
            return self._attempt.handle(event, now)
        if isinstance(event, events.CircuitOpened | events.PunchSucceeded):
            return [events.ClosePath(event.path, "nobody waits for it any more")]
        if isinstance(event, events.SessionOpened):
            return [events.EndSession(event.session, "nobody waits for it any more")]
        return []

    def _aim(self, aimed: events.Aimed, now: float) -> list[Command]:
        self._generation, self._policy = aimed.generation, aimed.policy
        self._choice.configure(aimed.relays)
        self._failures = 0
        self._next_at = self._improve_at = now
        self._improve_pause = FIRST_IMPROVE
        self._bar.take_down()
        if self._attempt is None:
            return []
        if self._asked is not None:
            self._requests.appendleft(self._asked)
        return self._cancel_attempt("the settings have changed")

    # One thing after the other

    def _proceed(self, now: float) -> list[Command]:
        out: list[Command] = []
        if self._attempt is not None:
            out += self._attempt.advance(now)
            out += self._settle(self._attempt, now)
        if self._attempt is not None and self._requests and self._asked is None:
            # An attempt of our own gives way to a request, but a punch that has begun may come to its end.
            if self._attempt.phase != attempts.PUNCH or now >= self._patience_until:
                out += self._cancel_attempt(_FRESH)
        elif self._attempt is not None and self._remote_session is not None and self._attempt.is_idle:
            out += self._cancel_attempt("the remote has opened a session")
        if self._attempt is None:
            out += self._begin(now)
        return out

    def _begin(self, now: float) -> list[Command]:
        if self._policy is None:
            return []
        if self._requests:
            return self._begin_fresh(now)
        if self._ending is not None:
            return []
        if self.current is None:
            if self._remote_session is not None or now < self._next_at:
                return []
            return self._start(self._policy, now)
        if self._remote_session == DIRECT != self.current.path.kind and self._policy != RELAY_ONLY:
            return self._end_current("the remote has a direct session with us")
        if not self._misplaced(self.current) or now < self._improve_at:
            return []
        if self._bar.holds(now) and self._policy != RELAY_ONLY:
            self._improve_at = self._bar.until
            return []
        self._improved_at = now
        return self._start(self._policy, now, replaces=Replaced(self.current.session, self.current.path))

    def _begin_fresh(self, now: float) -> list[Command]:
        if self._ending is not None:
            return []
        if self.current is not None:
            return self._end_current(_FRESH)
        self._asked = self._requests.popleft()
        self._bar.take_down()
        policy = self._asked.policy or self._policy
        assert policy is not None
        return [events.CloseAll(_FRESH), *self._start(policy, now, asked=self._asked)]

    def _start(
        self, policy: str, now: float, *, asked: events.Requested | None = None, replaces: Replaced | None = None
    ) -> list[Command]:
        self._attempt = Attempt(
            self._choice,
            self._numbers,
            self._generation,
            policy=policy,
            run=None if asked is None else asked.run,
            request=None if asked is None else asked.request,
            replaces=replaces,
            barred=self._bar.reason if self._bar.holds(now) else None,
        )
        return [*self._attempt.advance(now), *self._settle(self._attempt, now)]

    def _settle(self, attempt: Attempt, now: float) -> list[Command]:
        if attempt.result is None:
            return []
        asked, self._attempt, self._asked = self._asked, None, None
        match attempt.result:
            case attempts.Opened(outcome):
                return self._opened(attempt, outcome, asked, now)
            case attempts.NotBetter(reason):
                self.reason = reason
                self._improve_later(now)
                return []
            case attempts.Failed() as failed:
                return self._failed(attempt, failed, asked, now)

    def _opened(self, attempt: Attempt, outcome: Outcome, asked: events.Requested | None, now: float) -> list[Command]:
        out: list[Command] = []
        if attempt.replaces is not None:
            where = "direct path" if outcome.path.kind == DIRECT else "relay"
            out.append(events.EndSession(attempt.replaces.session, f"moved to the {where}", retire=True))
        self.current = Current(outcome.session, outcome.path, now, asked is not None)
        self.reason = outcome.not_direct
        if asked is not None:
            # Whoever asked is going to look at this session, and at what the relay counts: it is left alone longer.
            self._improve_pause = LONGEST_IMPROVE
            out.append(events.Answer(asked.request, outcome))
        elif attempt.replaces is None:
            self._improve_pause = FIRST_IMPROVE
        self._improve_later(now)
        return out

    def _failed(
        self, attempt: Attempt, failed: attempts.Failed, asked: events.Requested | None, now: float
    ) -> list[Command]:
        self.reason = failed.reason
        out: list[Command] = [events.SayFailed(failed.reason, None if asked is None else asked.run)]
        if failed.starved:
            self._bar.put_up(failed.reason, now)
        if asked is not None:
            out.append(events.Answer(asked.request, failed.reason))
        if attempt.replaces is not None:
            self._improve_later(now)
        self._failures = min(self._failures + 1, MOST_FAILURES)
        pause = self._pause()
        if failed.duplicate and self._yields:
            pause = max(pause, 2 * FIRST_PAUSE) * 2
        self._next_at = now + pause
        return out

    def _pause(self) -> float:
        pause = 0.0 if self._failures == 0 else FIRST_PAUSE * 2 ** (self._failures - 1)
        return min(pause, LONGEST_PAUSE) * (1 + self._jitter() / 5)

    def _improve_later(self, now: float) -> None:
        self._improve_at = now + self._improve_pause
        self._improve_pause = min(self._improve_pause * 2, LONGEST_IMPROVE)

    def _misplaced(self, current: Current) -> bool:
        """Whether the session is to move: to a direct path, or to a relay that is dialed through now."""
        wanted = RELAYED if self._policy == RELAY_ONLY else DIRECT
        return current.path.kind != wanted or (wanted == RELAYED and current.path.relay not in self._choice)

    # Ends

    def _session_ended(self, ended: events.SessionEnded, now: float) -> list[Command]:
        out = [] if self._attempt is None else self._attempt.handle(ended, now)
        if ended.session == self._ending:
            self._ending = None
        if self.current is None or ended.session != self.current.session:
            return out
        current, self.current = self.current, None
        self.reason = ended.reason
        lasted = now - current.since
        if lasted >= STEADY_SECONDS:
            self._failures = 0
            if current.path.kind == DIRECT:
                self._bar.forgive()
        elif ended.starved and current.path.kind == DIRECT:
            self._bar.put_up(ended.reason, now)
        elif ended.starved and current.path.relay is not None:
            self._choice.failed(current.path.relay, now)
        self._next_at = now + self._pause()
        self._failures = min(self._failures + 1, MOST_FAILURES)
        return out

    def _end_current(self, reason: str) -> list[Command]:
        assert self.current is not None
        self._ending, self.current = self.current.session, None
        return [events.EndSession(self._ending, reason)]

    def _cancel_attempt(self, reason: str) -> list[Command]:
        attempt, self._attempt, self._asked = self._attempt, None, None
        if attempt is None:
            return []
        if attempt.phase == attempts.RETIRE and attempt.replaces is not None:
            # The old session is on its way out already.
            self.current = None
        return attempt.cancel(reason)

    def _abandon(self, request: int, now: float) -> list[Command]:
        self._requests = deque(each for each in self._requests if each.request != request)
        if self._asked is None or self._asked.request != request:
            return []
        self.reason = self.waits_for
        self._failures = min(self._failures + 1, MOST_FAILURES)
        self._next_at = now + self._pause()
        return self._cancel_attempt("nobody waits for the session any more")

    def _remote_changed(self, kind: str | None, now: float) -> None:
        if self._remote_session is not None and kind is None:
            self._next_at = max(self._next_at, now + self._pause())
            if self.current is None:
                self.reason = Reason(SESSION_ENDED, problem="the session that the remote had opened has ended")
        self._remote_session = kind
