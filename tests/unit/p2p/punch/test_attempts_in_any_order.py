"""The attempts of a hole punch under every order of events that two programs and a network can bring."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kaspa_node import reasons
from kaspa_node.constants import MAX_PUNCH_ATTEMPTS
from kaspa_node.p2p.punch.attempts import (
    INITIATOR,
    REFUSED_PAUSES,
    RESPONDER,
    Answer,
    Attempts,
    Begin,
    Check,
    Command,
    Dial,
    Over,
    Reject,
    Take,
    Wake,
)
from kaspa_node.reasons import Reason

FAILURES = st.sampled_from(
    (
        Reason(reasons.NO_ANSWER, seconds=3.5, answers="nobody"),
        Reason(reasons.HANDSHAKE_TIMEOUT, seconds=3.0, answers="nobody"),
        Reason(reasons.EXCHANGE_TIMEOUT, seconds=10.0),
    )
)


class Punch(RuleBasedStateMachine):
    """A shell that does what the machine says, and a world that brings whatever it may."""

    @initialize(
        role=st.sampled_from((INITIATOR, RESPONDER)),
        exists=st.booleans(),
        spare=st.booleans(),
        small=st.booleans(),
        refuses=st.booleans(),
    )
    def start(self, role: str, exists: bool, spare: bool, small: bool, refuses: bool) -> None:
        self.refuses = refuses
        self.now = 0.0
        self.initiates = role == INITIATOR
        self.machine = Attempts(role, spare=spare, small=small)
        self.exchanging = set[int]()
        self.dialing = set[int]()
        self.own: int | None = None
        self.checking = False
        self.wake: float | None = None
        self.is_lost = False
        self.overs = 0
        self.began_by_remote = 0
        self.answered = 0
        self.questions = 0
        self.pushes = 0
        self.ups = 0
        self.alive = {"old"} if exists else set[str]()
        self.obey(self.machine.begin(self.now, exists=exists))

    def obey(self, commands: list[Command]) -> None:
        assert not (self.is_lost and [c for c in commands if not isinstance(c, (Over, Reject))]), "work after the end"
        for command in commands:
            if isinstance(command, Check):
                assert not self.checking
                self.checking = True
            elif isinstance(command, Begin):
                assert self.initiates
                assert not self.exchanging | self.dialing, "one attempt at a time"
                assert self.machine.outcome is None
                self.exchanging.add(command.attempt)
                self.own = command.attempt
                self.questions += 1
                self.wake = None
            elif isinstance(command, Answer):
                assert command.attempt not in self.exchanging | self.dialing
                self.exchanging.add(command.attempt)
                self.answered += 1
            elif isinstance(command, Dial):
                assert command.attempt in self.exchanging
                self.exchanging.remove(command.attempt)
                self.dialing.add(command.attempt)
            elif isinstance(command, Take):
                assert command.connection in self.alive, "a dead connection was taken"
                self.exchanging.discard(command.attempt)
                self.dialing.discard(command.attempt)
            elif isinstance(command, Wake):
                assert command.at > self.now, "no spinning"
                self.wake = command.at
            elif isinstance(command, Over):
                assert (command.connection is None) != (command.reason is None)
                assert command.connection is None or command.connection in self.alive
                assert command == self.machine.outcome
                self.overs += 1

    # What comes of commands

    @precondition(lambda self: self.checking)
    @rule()
    def check_ends(self) -> None:
        self.checking = False
        self.obey(self.machine.checked(min(self.alive, default=None)))

    @precondition(lambda self: self.exchanging)
    @rule(data=st.data())
    def exchange_ends(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.exchanging)))
        self.obey(self.machine.planned(attempt))

    @precondition(lambda self: self.own in self.exchanging)
    @rule()
    def question_is_refused(self) -> None:
        assert self.own is not None
        self.exchanging.remove(self.own)
        self.own = None
        before = self.machine.attempts
        self.obey(self.machine.refused(self.now))
        assert self.machine.attempts == before - 1 or self.own is not None

    @precondition(lambda self: self.exchanging | self.dialing)
    @rule(data=st.data(), reason=FAILURES)
    def attempt_fails(self, data: st.DataObject, reason: Reason) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.exchanging | self.dialing)))
        self.exchanging.discard(attempt)
        self.dialing.discard(attempt)
        self.obey(self.machine.failed(attempt, reason, self.now))

    # What the world brings

    @rule()
    def connection_comes(self) -> None:
        self.ups += 1
        name = f"new {self.ups}"
        self.alive.add(name)
        self.obey(self.machine.up(name))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def connection_goes(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.alive)))
        self.alive.remove(name)
        self.machine.down(name)

    @rule()
    def remote_begins(self) -> None:
        self.began_by_remote += 1
        self.obey(self.machine.began())

    @rule()
    def identify_push(self) -> None:
        self.pushes += 1
        self.obey(self.machine.named())

    @rule(seconds=st.floats(0.0, 20.0))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds
        self.tick()

    def tick(self) -> None:
        commands = self.machine.tick(self.now)
        assert not commands or (self.wake is not None and self.now >= self.wake), (
            "work without a time that was asked for"
        )
        if commands:
            self.wake = None
        self.obey(commands)
        assert self.machine.tick(self.now) == [], "one step for one time"

    @rule()
    def circuit_is_lost(self) -> None:
        self.exchanging.clear()
        self.dialing.clear()
        commands = self.machine.lost("the relay is gone")
        self.is_lost = True
        self.obey(commands)
        assert self.machine.outcome is not None

    # What always holds

    @invariant()
    def attempts_are_bounded(self) -> None:
        if not hasattr(self, "machine"):
            return
        assert 0 <= self.machine.attempts <= MAX_PUNCH_ATTEMPTS
        assert self.answered <= MAX_PUNCH_ATTEMPTS
        assert self.questions <= (MAX_PUNCH_ATTEMPTS + 1) * (len(REFUSED_PAUSES) + 1)
        assert self.overs <= 1 + self.began_by_remote

    @invariant()
    def something_is_always_due(self) -> None:
        """Until there is an outcome, something runs whose end is told, or a time is waited for."""
        if hasattr(self, "machine") and self.machine.outcome is None:
            assert self.exchanging or self.dialing or self.checking or self.wake is not None

    def teardown(self) -> None:
        """If everything that runs fails, or is refused, and time goes by, an outcome comes."""
        if not hasattr(self, "machine"):
            return
        for _ in range(40):
            if self.machine.outcome is not None:
                break
            if self.checking:
                self.check_ends()
            if self.refuses and self.own in self.exchanging:
                self.question_is_refused()
            for attempt in sorted(self.exchanging | self.dialing):
                if self.refuses and attempt == self.own and attempt in self.exchanging:
                    continue
                self.exchanging.discard(attempt)
                self.dialing.discard(attempt)
                self.obey(self.machine.failed(attempt, Reason(reasons.EXCHANGE_TIMEOUT, seconds=10.0), self.now))
            if self.wake is not None:
                self.now = max(self.now, self.wake)
                self.tick()
        assert self.machine.outcome is not None, "no outcome"


TestPunch = Punch.TestCase
TestPunch.settings = settings(max_examples=200, stateful_step_count=40)
