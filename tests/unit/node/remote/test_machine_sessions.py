"""The life of a remote that has a session: how it moves, what requests do, and how it ends."""

from __future__ import annotations

import pytest

from kaspa_node.constants import PREFER_DIRECT, RELAY_ONLY
from kaspa_node.node.remote import events
from kaspa_node.node.remote.machine import FIRST_IMPROVE, LONGEST_IMPROVE, PUNCH_PATIENCE
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED
from kaspa_node.reasons import Reason
from tests.unit.node.remote.world import RELAYS, World, direct, ready, relayed

# Moving


def test_a_relayed_session_is_tried_again_soon_and_then_more_and_more_rarely() -> None:
    world = relayed()
    for _ in range(7):
        world.sleep(world.machine.wake_at - world.now)
        world.succeed()
        world.fail()
        assert world.machine.state == RELAYED
        assert len(world.paths) == 1
    gaps = [b - a for (a, _), (b, _) in zip(world.dialed, world.dialed[1:], strict=False)]
    assert gaps == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]


def test_it_moves_over_and_the_old_session_retires() -> None:
    world = relayed()
    assert world.machine.current is not None
    old = world.machine.current.session
    world.sleep(FIRST_IMPROVE)
    world.succeed()
    world.succeed()
    world.succeed()
    assert world.machine.state == DIRECT
    assert world.ending == [events.EndSession(old, "moved to the direct path", retire=True)]
    world.finish_ending()
    assert [path.kind for path in world.paths.values()] == [DIRECT]
    assert world.machine.state == DIRECT


def test_who_waits_for_a_direct_path_brings_the_next_try_forward() -> None:
    world = relayed()
    world.sleep(FIRST_IMPROVE)
    world.succeed()
    world.fail()
    world.sleep(3)
    world.tell(events.DirectWanted())
    assert world.waiting is None
    world.sleep(3)
    world.tell(events.DirectWanted())
    assert isinstance(world.waiting, events.OpenCircuit)


def test_a_relayed_session_moves_to_the_relay_that_is_left() -> None:
    world = relayed()
    world.aim(relays=RELAYS[1:])
    assert isinstance(world.waiting, events.OpenCircuit)
    assert world.waiting.relay == "r2"
    world.succeed()
    world.fail()
    assert world.waiting is None
    assert [command.retire for command in world.ending] == [True]
    world.finish_ending()
    world.succeed()
    assert world.machine.state == RELAYED
    assert [path.relay for path in world.paths.values()] == ["r2"]


def test_a_direct_session_does_not_care_about_relays() -> None:
    world = direct()
    world.aim(relays=())
    assert (world.machine.state, world.waiting) == (DIRECT, None)


def test_new_settings_end_an_attempt_of_old_ones() -> None:
    world = ready()
    world.succeed()
    world.aim(RELAY_ONLY)
    assert isinstance(world.waiting, events.OpenCircuit)
    assert world.waiting.generation == 2
    assert world.paths == {}
    late = world.late[0]
    world.succeed(late)
    assert world.paths == {}


# Requests


def test_a_fresh_session_ends_what_there_is() -> None:
    world = direct()
    world.tell(events.Requested(1, None, "run-1"))
    assert world.waiting is None
    world.finish_ending()
    assert isinstance(world.waiting, events.OpenCircuit)
    assert world.waiting.run == "run-1"
    world.settle()
    assert isinstance(world.answers[1], events.Outcome)


def test_a_session_that_was_asked_for_is_left_alone_longer() -> None:
    world = ready()
    world.tell(events.Requested(1, RELAY_ONLY, "run-1"))
    world.succeed()
    world.succeed()
    assert world.machine.state == RELAYED
    assert world.machine.wake_at == world.now + LONGEST_IMPROVE
    world.tell(events.DirectWanted())
    assert not world.machine.improving


def test_a_punch_that_has_begun_may_come_to_its_end_first() -> None:
    world = ready()
    world.succeed()
    punch = world.waiting
    world.tell(events.Requested(1, None, None))
    assert world.waiting is punch
    world.sleep(PUNCH_PATIENCE)
    assert isinstance(world.waiting, events.OpenCircuit)
    world = ready()
    world.succeed()
    world.tell(events.Requested(1, None, None))
    world.succeed()
    assert isinstance(world.waiting, events.OpenCircuit)
    assert world.paths == {}


def test_a_request_that_fails_is_answered_so() -> None:
    world = direct()
    world.tell(events.Requested(1, None, "run-1"))
    world.finish_ending()
    world.fail()
    world.fail()
    answer = world.answers[1]
    assert isinstance(answer, Reason)
    assert str(answer) == "through relay-1:4011: no answer; through relay-2:4011: no answer"


def test_a_request_that_nobody_waits_for_any_more_is_given_up() -> None:
    world = direct()
    world.tell(events.Requested(1, None, "run-1"))
    world.tell(events.Requested(2, None, "run-2"))
    world.tell(events.Abandoned(2))
    world.finish_ending()
    world.succeed()
    world.tell(events.Abandoned(1))
    assert (world.waiting, world.paths, world.answers) == (None, {}, {})
    world.settle()
    assert world.machine.state == DIRECT


@pytest.mark.parametrize(("policy", "path"), [(PREFER_DIRECT, DIRECT), (RELAY_ONLY, RELAYED)])
def test_a_remote_that_does_not_answer_the_handshake_is_named_as_what_is_waited_for(policy: str, path: str) -> None:
    world = ready(policy)
    while not isinstance(world.waiting, events.OpenSession):
        world.succeed()
    said = f"the {path} path is up, and the Kaspa handshake is not done yet"
    assert str(world.machine.waits_for) == said
    world.tell(events.Requested(1, policy, None))
    while not isinstance(world.waiting, events.OpenSession):
        world.succeed()
    world.tell(events.Abandoned(1))
    assert (world.machine.state, str(world.machine.waits_for)) == ("backoff", said)


def test_settings_that_change_meanwhile_begin_the_request_anew() -> None:
    world = ready()
    world.tell(events.Requested(1, None, "run-1"))
    world.aim()
    assert isinstance(world.waiting, events.OpenCircuit)
    assert (world.waiting.run, world.waiting.generation) == ("run-1", 2)


# Both dial


def test_a_remote_that_has_a_session_with_us_is_not_dialed() -> None:
    world = World()
    world.aim()
    world.tell(events.RemoteSession(DIRECT))
    world.up("r1")
    assert (world.waiting, world.machine.state) == (None, DIRECT)
    world.sleep(3600)
    assert world.waiting is None
    world.tell(events.RemoteSession(None))
    assert isinstance(world.waiting, events.OpenCircuit)


def test_a_refusal_for_the_session_of_the_remote_is_no_reason_while_that_session_lasts() -> None:
    world = ready()
    world.succeed()
    world.succeed()
    world.tell(events.RemoteSession(DIRECT))
    world.fail(duplicate=True)
    assert (world.machine.state, world.machine.waits_for) == (DIRECT, None)
    world.tell(events.RemoteSession(None))
    assert world.machine.state == "backoff"
    assert str(world.machine.waits_for) == "the session that the remote had opened has ended"


def test_a_relayed_session_ends_if_the_remote_has_a_direct_one_with_us() -> None:
    """Two that dial each other at once may both succeed, because Kaspa knows a remote by its address."""
    world = relayed()
    world.tell(events.RemoteSession(DIRECT))
    world.finish_ending()
    assert (world.sessions, world.paths, world.waiting) == ({}, {}, None)
    assert (world.machine.state, world.machine.waits_for) == (DIRECT, None)
    world.sleep(3600)
    assert world.waiting is None
    world.tell(events.RemoteSession(None))
    assert isinstance(world.waiting, events.OpenCircuit)


def test_it_ends_as_well_if_the_remote_was_faster_with_its_direct_one() -> None:
    world = relayed()
    world.sleep(FIRST_IMPROVE)
    world.succeed()
    world.tell(events.RemoteSession(DIRECT))
    world.succeed()
    world.fail(duplicate=True)
    world.finish_ending()
    assert (world.sessions, world.paths, world.waiting) == ({}, {}, None)


def test_a_session_that_is_where_the_policy_wants_it_stays_beside_one_of_the_remote() -> None:
    world = ready(RELAY_ONLY)
    world.succeed()
    world.succeed()
    world.tell(events.RemoteSession(DIRECT))
    assert (world.machine.state, world.ending) == (RELAYED, [])
    world = direct()
    world.tell(events.RemoteSession(RELAYED))
    assert (world.machine.state, world.ending) == (DIRECT, [])


def test_of_two_that_dial_each_other_at_once_one_waits_longer() -> None:
    waits = []
    for yields in (False, True):
        world = World(yields=yields)
        world.aim()
        world.up("r1")
        world.succeed()
        world.succeed()
        world.fail(duplicate=True)
        waits.append(world.machine.wake_at - world.now)
    assert waits == [1.0, 4.0]


# The end


def test_a_remote_that_is_no_longer_wanted_leaves_nothing() -> None:
    for world in (direct(), relayed(), ready()):
        world.tell(events.Requested(1, None, None))
        world.do(world.machine.dismiss())
        world.finish_ending()
        assert world.machine.done
        assert (world.paths, world.waiting, world.sessions) == ({}, None, {})
        assert isinstance(world.answers[1], Reason)
        for late in world.late:
            world.succeed(late)
        assert world.paths == {}
        assert world.machine.wake_at == float("inf")
