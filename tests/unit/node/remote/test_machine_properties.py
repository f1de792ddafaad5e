"""The life of a remote under random orders of everything that can happen."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kaspa_node.constants import PATH_POLICIES, PREFER_DIRECT, RELAY_ONLY
from kaspa_node.node.remote import events
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED
from tests.unit.node.remote.world import RELAYS, World

RELAY_IDS = [peer for peer, _ in RELAYS]


class RemoteLife(RuleBasedStateMachine):
    """Every path that was opened is closed, nothing spins, and a wanted remote comes back."""

    @initialize(yields=st.booleans(), jitter=st.floats(0, 1))
    def start(self, yields: bool, jitter: float) -> None:
        self.world = World(yields=yields, jitter=jitter)
        self.world.aim()
        self.asked = 0
        self.remote_session: str | None = None

    @rule(policy=st.sampled_from(PATH_POLICIES), relays=st.sets(st.sampled_from(RELAYS)))
    def other_settings(self, policy: str, relays: set[tuple[str, str]]) -> None:
        self.world.aim(policy, tuple(sorted(relays)))

    @rule(relay=st.sampled_from(RELAY_IDS), round_trip=st.one_of(st.none(), st.floats(0, 2)))
    def relay_up(self, relay: str, round_trip: float | None) -> None:
        self.world.tell(events.RelayUp(relay, round_trip))

    @rule(relay=st.sampled_from(RELAY_IDS))
    def relay_down(self, relay: str) -> None:
        self.world.tell(events.RelayDown(relay, "gone"))

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 100.0, 5000.0]))
    def time(self, seconds: float) -> None:
        self.world.sleep(seconds)

    @precondition(lambda self: self.world.waiting is not None)
    @rule()
    def it_works(self) -> None:
        operation = self.world.waiting
        if isinstance(operation, events.OpenSession) and operation.path.id not in self.world.paths:
            self.world.fail()
        else:
            self.world.succeed()

    @precondition(lambda self: self.world.waiting is not None)
    @rule(missing=st.booleans(), duplicate=st.booleans(), starved=st.booleans())
    def it_fails(self, missing: bool, duplicate: bool, starved: bool) -> None:
        self.world.fail(missing=missing, duplicate=duplicate, starved=starved)

    @precondition(lambda self: self.world.late)
    @rule()
    def a_late_result(self) -> None:
        self.world.succeed(self.world.late.pop())

    @precondition(lambda self: self.loose())
    @rule(data=st.data())
    def a_path_is_lost(self, data: st.DataObject) -> None:
        self.world.lose(data.draw(st.sampled_from(self.loose())))

    @precondition(lambda self: self.world.sessions)
    @rule(data=st.data(), starved=st.booleans())
    def a_session_ends(self, data: st.DataObject, starved: bool) -> None:
        self.world.end(data.draw(st.sampled_from(sorted(self.world.sessions))), starved=starved)

    @precondition(lambda self: self.world.ending)
    @rule()
    def what_was_asked_to_end_ends(self) -> None:
        self.world.finish_ending()

    @rule(policy=st.one_of(st.none(), st.sampled_from(PATH_POLICIES)))
    def a_fresh_session_is_asked_for(self, policy: str | None) -> None:
        self.asked += 1
        self.world.tell(events.Requested(self.asked, policy, f"run-{self.asked}"))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def nobody_waits_for_it_any_more(self, data: st.DataObject) -> None:
        self.world.tell(events.Abandoned(data.draw(st.integers(1, self.asked))))

    @rule(kind=st.sampled_from([None, DIRECT, RELAYED]))
    def the_remote_has_a_session(self, kind: str | None) -> None:
        self.remote_session = kind
        self.world.tell(events.RemoteSession(kind))

    @rule()
    def somebody_wants_a_direct_path(self) -> None:
        self.world.tell(events.DirectWanted())

    def loose(self) -> list[events.PathRef]:
        """The paths under no session, whose end the machine is told of."""
        operation = self.world.waiting
        opening = operation.path if isinstance(operation, events.OpenSession) else None
        owned = self.world.sessions.values()
        return [path for path in self.world.paths.values() if path not in owned and path != opening]

    @invariant()
    def few_paths_are_open(self) -> None:
        going = {self.world.sessions[each.session] for each in self.world.ending}
        kinds = [path.kind for path in self.world.paths.values() if path not in going]
        current = self.world.machine.current
        if self.world.machine.improving:
            assert kinds.count(RELAYED) <= 2
            assert kinds.count(DIRECT) <= 2
        else:
            assert len(kinds) == (0 if current is None else 1)

    @invariant()
    def there_is_no_relayed_session_beside_a_direct_one_of_the_remote(self) -> None:
        world, current = self.world, self.world.machine.current
        if self.remote_session == DIRECT and current is not None and not world.machine.improving:
            assert current.path.kind == DIRECT or world.policy == RELAY_ONLY

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        world.tell(events.RemoteSession(None))
        world.aim(PREFER_DIRECT)
        world.up(*RELAY_IDS)
        world.settle(200)
        assert world.machine.state == DIRECT, "a wanted remote always comes back"
        world.do(world.machine.dismiss())
        world.finish_ending()
        while world.late:
            world.succeed(world.late.pop())
        world.finish_ending()
        assert world.machine.done
        assert (world.paths, world.sessions, world.waiting) == ({}, {}, None)


# It takes a few seconds, but far more than a unit test has on a busy machine.
pytestmark = pytest.mark.timeout(180)
RemoteLife.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestRemoteLife = RemoteLife.TestCase
