"""The life of a remote: what it does after each thing that can happen to it."""

from __future__ import annotations

import pytest

from kaspa_node.constants import DIRECT_ONLY, PREFER_DIRECT, RELAY_ONLY
from kaspa_node.node.remote import events
from kaspa_node.node.remote.direct_bar import FIRST_SECONDS as FIRST_BARRED
from kaspa_node.node.remote.machine import FIRST_IMPROVE, STEADY_SECONDS
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED
from kaspa_node.reasons import NO_RESERVATION, PATH_FAILED_UNDER_DATA, POLICY_RELAY_ONLY, Reason
from tests.unit.node.remote.world import World, direct, ready

# The way up


def test_a_session_runs_over_the_direct_path_and_the_circuit_is_closed() -> None:
    world = ready()
    assert world.machine.state == "dialing"
    world.succeed()
    assert world.machine.state == "punching"
    world.succeed()
    assert len(world.paths) == 2
    world.succeed()
    assert (world.machine.state, world.machine.reason) == (DIRECT, None)
    assert [path.kind for path in world.paths.values()] == [DIRECT]
    assert world.machine.wake_at == float("inf")


def test_it_waits_for_a_relay() -> None:
    world = World()
    world.aim()
    world.tell(events.RelayDown("r1", "connection refused"))
    assert world.waiting is None
    assert world.machine.waits_for is not None
    assert str(world.machine.waits_for) == (
        "through relay-1:4011: connection refused; through relay-2:4011: not connected yet"
    )
    world.sleep(3600)
    world.up("r2")
    assert isinstance(world.waiting, events.OpenCircuit)
    assert world.waiting.relay == "r2"


def test_it_waits_for_the_reservation_with_pauses_that_grow() -> None:
    world = ready()
    for _ in range(12):
        world.fail(missing=True)
        world.fail(missing=True)
        assert world.machine.state == "waiting"
        assert world.machine.waits_for is not None
        assert world.machine.waits_for.code == NO_RESERVATION
        world.sleep(world.machine.wake_at - world.now)
    pauses = [said.delay for said in world.said if isinstance(said, events.SayWaiting)]
    assert pauses[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert set(pauses[6:]) == {10.0}
    world.settle()
    assert world.machine.state == DIRECT


def test_a_relay_that_comes_up_meanwhile_is_asked_at_once() -> None:
    world = World()
    world.aim()
    world.up("r1")
    world.fail(missing=True)
    world.up("r2")
    assert isinstance(world.waiting, events.OpenCircuit)
    assert world.waiting.relay == "r2"


def test_a_relay_that_goes_down_while_it_is_asked_is_named_once() -> None:
    world = World()
    world.aim()
    world.up("r1")
    world.tell(events.RelayDown("r1", "connection reset"))
    world.fail()
    assert world.machine.reason is not None
    assert str(world.machine.reason) == "through relay-1:4011: no answer; through relay-2:4011: not connected yet"


def test_without_a_relay_there_is_no_session() -> None:
    world = World()
    world.aim(relays=())
    assert (world.machine.state, world.waiting) == ("backoff", None)
    assert world.machine.reason is not None
    assert str(world.machine.reason) == "no relay is configured for it"


@pytest.mark.parametrize(("policy", "state"), [(PREFER_DIRECT, RELAYED), (DIRECT_ONLY, "backoff")])
def test_what_follows_a_failed_punch_is_a_matter_of_policy(policy: str, state: str) -> None:
    world = ready(policy)
    world.succeed()
    world.fail()
    if policy == PREFER_DIRECT:
        world.succeed()
    assert world.machine.state == state
    assert len(world.paths) == (1 if state == RELAYED else 0)
    assert world.machine.reason is not None
    assert "no answer" in str(world.machine.reason)


def test_relay_only_wants_no_punch() -> None:
    world = ready(RELAY_ONLY)
    assert isinstance(world.waiting, events.OpenCircuit)
    assert not world.waiting.punch
    world.succeed()
    assert isinstance(world.waiting, events.OpenSession)
    world.succeed()
    assert world.machine.reason == Reason(POLICY_RELAY_ONLY)
    assert world.machine.wake_at == float("inf")


# What fails


def test_a_session_that_is_refused_leaves_no_path_behind() -> None:
    world = ready()
    for _ in range(1100):
        world.succeed()
        world.succeed()
        world.fail()
        assert world.paths == {}
        assert world.machine.state == "backoff"
        world.sleep(world.machine.wake_at - world.now)
    gaps = [b - a for (a, _), (b, _) in zip(world.dialed, world.dialed[1:], strict=False)]
    assert gaps[:6] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    assert set(gaps[6:]) == {60.0}


def test_relays_take_turns_when_one_fails() -> None:
    world = ready()
    for _ in range(2):
        world.succeed()
        world.fail()
        world.fail(starved=True)
        world.sleep(world.machine.wake_at - world.now)
    assert [relay for _, relay in world.dialed] == ["r1", "r2", "r1"]


def test_of_relays_that_are_up_the_nearest_is_taken() -> None:
    world = World()
    world.tell(events.RelayUp("r1", 0.2))
    world.aim()
    world.tell(events.RelayUp("r2", 0.03))
    world.fail()
    assert [relay for _, relay in world.dialed] == ["r2"]
    world = World()
    world.aim()
    world.tell(events.RelayDown("r1", "down"))
    world.tell(events.RelayUp("r2", 0.31))
    world.fail(missing=True)
    world.tell(events.RelayUp("r1", 0.04))
    world.fail(missing=True)
    world.sleep(world.machine.wake_at - world.now)
    assert [relay for _, relay in world.dialed] == ["r2", "r1", "r1"]


def test_a_session_that_ends_soon_after_each_start_is_dialed_more_and_more_rarely() -> None:
    world = direct()
    for _ in range(6):
        world.sleep(8)
        assert world.machine.current is not None
        world.end(world.machine.current.session)
        world.settle()
    gaps = [b - a - 8 for (a, _), (b, _) in zip(world.dialed, world.dialed[1:], strict=False)]
    assert gaps == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0]


def test_after_a_session_that_was_a_good_one_the_next_attempt_begins_at_once() -> None:
    world = direct()
    for _ in range(3):
        world.sleep(STEADY_SECONDS)
        assert world.machine.current is not None
        world.end(world.machine.current.session)
        assert world.waiting is not None
        world.settle()


def test_a_direct_path_that_fails_under_data_is_not_taken_again_for_a_while_that_grows() -> None:
    world = direct()
    for barred in (FIRST_BARRED, 2 * FIRST_BARRED):
        assert world.machine.current is not None
        world.end(world.machine.current.session, starved=True)
        world.sleep(1)
        assert isinstance(world.waiting, events.OpenCircuit)
        assert not world.waiting.punch
        world.succeed()
        world.succeed()
        assert world.machine.state == RELAYED
        assert world.machine.reason is not None
        assert world.machine.reason.code == PATH_FAILED_UNDER_DATA
        world.sleep(barred - 2)
        assert world.waiting is None
        world.sleep(10 + FIRST_IMPROVE)
        assert world.waiting is not None
        world.settle()
        assert world.machine.state == DIRECT


def test_a_direct_path_that_was_good_for_long_is_punched_again_when_it_is_lost() -> None:
    world = direct()
    world.sleep(STEADY_SECONDS)
    assert world.machine.current is not None
    world.end(world.machine.current.session, starved=True)
    world.settle()
    assert world.machine.state == DIRECT
