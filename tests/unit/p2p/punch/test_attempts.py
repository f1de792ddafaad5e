"""The attempts of a hole punch: who begins them, how often, and what ends them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kaspa_node import reasons
from kaspa_node.constants import MAX_PUNCH_ATTEMPTS
from kaspa_node.p2p.punch.attempts import (
    INITIATOR,
    NEVER,
    PAUSE_SECONDS,
    REFUSED_PAUSES,
    RESPONDER,
    SILENCE_SECONDS,
    Answer,
    Attempts,
    Begin,
    Check,
    Dial,
    Over,
    Reject,
    Take,
    Wake,
)
from kaspa_node.reasons import Reason

NOW = 1000.0
NO_ANSWER = Reason(reasons.NO_ANSWER, seconds=3.5, answers="203.0.113.20:4012: no answer")
NO_HANDSHAKE = Reason(reasons.HANDSHAKE_TIMEOUT, seconds=3.0, answers="203.0.113.20:4012: no answer")
REFUSED = Reason(reasons.REFUSED_BY_REMOTE)


def initiator() -> Attempts:
    """One whose first attempt has begun."""
    machine = Attempts(INITIATOR)
    assert machine.begin(NOW, exists=False) == [Begin(1, spare=False)]
    return machine


def responder() -> Attempts:
    """One whose remote has begun the first attempt."""
    machine = Attempts(RESPONDER)
    assert machine.begin(NOW, exists=False) == [Wake(NOW + SILENCE_SECONDS)]
    assert machine.began() == [Answer(1)]
    return machine


# The initiator's attempts


def test_an_attempt_dials_as_planned_and_takes_the_connection() -> None:
    machine = initiator()
    assert machine.planned(1) == [Dial(1, small=False)]
    assert machine.up("direct") == [Over("direct", None), Take(1, "direct")]
    assert (machine.attempts, machine.outcome) == (1, Over("direct", None))


def test_later_attempts_come_after_growing_pauses_and_from_spare_ports() -> None:
    machine = initiator()
    for attempt in (1, 2):
        machine.planned(attempt)
        at = NOW + attempt * PAUSE_SECONDS
        assert machine.failed(attempt, NO_ANSWER, NOW) == [Wake(at)]
        assert machine.tick(at - 0.01) == []
        assert machine.tick(at) == [Begin(attempt + 1, spare=True)]
    machine.planned(3)
    assert machine.failed(3, NO_ANSWER, NOW) == [Over(None, NO_ANSWER)]
    assert machine.attempts == MAX_PUNCH_ATTEMPTS


def test_a_path_that_is_barred_for_the_listening_port_gets_a_spare_one_from_the_first_on() -> None:
    assert Attempts(INITIATOR, spare=True).begin(NOW, exists=False) == [Begin(1, spare=True)]


def test_a_connection_that_is_up_before_the_plan_ends_the_wait_and_not_the_exchange() -> None:
    machine = initiator()
    assert machine.up("direct") == [Over("direct", None)]
    assert machine.planned(1) == [Take(1, "direct")]


def test_an_exchange_that_breaks_off_when_the_connection_is_up_is_no_failure() -> None:
    machine = initiator()
    machine.up("direct")
    assert machine.failed(1, NO_ANSWER, NOW) == [Take(1, "direct")]


# Refused questions


def test_a_refused_question_is_no_attempt_and_is_asked_again_a_few_times() -> None:
    machine, now = initiator(), NOW
    for pause in REFUSED_PAUSES:
        assert machine.refused(now) == [Wake(now + pause)]
        assert machine.attempts == 0
        now += pause
        assert machine.tick(now) == [Begin(1, spare=False)]
    assert machine.refused(now) == [Over(None, REFUSED)]
    assert machine.attempts == 0


def test_an_identify_push_that_names_the_protocol_has_it_asked_at_once() -> None:
    machine = initiator()
    machine.refused(NOW)
    assert machine.named() == [Begin(1, spare=False)]
    assert machine.tick(NOW + 100) == []


def test_a_push_that_overtakes_the_refusal_counts_as_well() -> None:
    machine = initiator()
    assert machine.named() == []
    assert machine.refused(NOW) == [Begin(1, spare=False)]
    assert machine.refused(NOW) == [Wake(NOW + REFUSED_PAUSES[1])]


def test_pushes_without_end_are_not_asked_without_end() -> None:
    machine, asked = initiator(), 1
    while machine.outcome is None:
        machine.refused(NOW)
        asked += len(machine.named())
    assert asked == 1 + len(REFUSED_PAUSES)


def test_a_push_matters_only_after_a_refusal() -> None:
    machine = Attempts(INITIATOR)
    machine.begin(NOW, exists=True)
    assert machine.named() == []
    responding = responder()
    assert responding.named() == []


# The responder


def test_the_remotes_attempt_is_answered_and_dialed() -> None:
    machine = responder()
    assert machine.planned(1) == [Dial(1, small=False)]
    assert machine.up("direct") == [Over("direct", None), Take(1, "direct")]


def test_a_remote_that_begins_nothing_is_waited_for_and_given_up() -> None:
    machine = Attempts(RESPONDER)
    [wake] = machine.begin(NOW, exists=False)
    assert wake == Wake(NOW + SILENCE_SECONDS)
    assert machine.tick(NOW + SILENCE_SECONDS) == [Over(None, Reason(reasons.REMOTE_SILENT))]


def test_a_remote_that_falls_silent_after_a_failure_leaves_its_reason() -> None:
    machine = responder()
    machine.planned(1)
    assert machine.failed(1, NO_ANSWER, NOW) == [Wake(NOW + SILENCE_SECONDS)]
    assert machine.tick(NOW + SILENCE_SECONDS) == [Over(None, NO_ANSWER)]


def test_a_remote_that_punches_without_end_is_answered_three_times() -> None:
    machine = responder()
    assert machine.began() == [Answer(2)]
    assert machine.began() == [Answer(3)]
    assert machine.began() == [Reject()]
    assert machine.failed(2, NO_ANSWER, NOW) == []
    assert machine.failed(1, NO_ANSWER, NOW) == []
    assert machine.failed(3, NO_ANSWER, NOW) == [Over(None, NO_ANSWER)]


def test_a_remote_that_begins_after_the_end_is_answered() -> None:
    machine = Attempts(RESPONDER)
    machine.begin(NOW, exists=False)
    machine.tick(NOW + SILENCE_SECONDS)
    assert machine.began() == [Answer(1)]
    assert machine.outcome is None


def test_the_initiator_answers_only_while_it_does_not_ask_itself() -> None:
    machine = initiator()
    assert machine.began() == [Reject()]
    machine.refused(NOW)
    assert machine.began() == [Answer(1)]
    assert machine.tick(NOW + 100) == []
    assert machine.failed(1, NO_ANSWER, NOW) == [Wake(NOW + PAUSE_SECONDS)]
    assert machine.tick(NOW + PAUSE_SECONDS) == [Begin(2, spare=True)]


# A direct connection that exists before the punch


@pytest.mark.parametrize("alive", ["old", None])
def test_the_initiator_checks_it_before_it_asks(alive: str | None) -> None:
    machine = Attempts(INITIATOR)
    assert machine.begin(NOW, exists=True) == [Check()]
    assert machine.checked(alive) == [Begin(1, spare=False)]
    assert machine.planned(1) == ([Dial(1, small=False)] if alive is None else [Take(1, "old"), Over("old", None)])


@pytest.mark.parametrize("alive", ["old", None])
def test_the_responders_dial_waits_for_the_check(alive: str | None) -> None:
    machine = Attempts(RESPONDER)
    assert machine.begin(NOW, exists=True) == [Check(), Wake(NOW + SILENCE_SECONDS)]
    assert machine.began() == [Answer(1)]
    assert machine.planned(1) == []
    assert machine.checked(alive) == ([Dial(1, small=False)] if alive is None else [Take(1, "old"), Over("old", None)])


def test_one_that_ends_after_its_check_does_not_count() -> None:
    machine = Attempts(INITIATOR)
    machine.begin(NOW, exists=True)
    machine.checked("old")
    machine.down("old")
    assert machine.planned(1) == [Dial(1, small=False)]


def test_it_is_what_is_left_where_the_remote_begins_nothing() -> None:
    machine = Attempts(RESPONDER)
    machine.begin(NOW, exists=True)
    machine.checked("old")
    assert machine.tick(NOW + SILENCE_SECONDS) == [Over("old", None)]


def test_it_is_what_is_left_where_the_remote_refuses_the_punch() -> None:
    machine = Attempts(INITIATOR)
    machine.begin(NOW, exists=True)
    machine.checked("old")
    assert machine.refused(NOW) == [Over("old", None)]


# Paths that drop full-size packets


@pytest.mark.parametrize("make", [initiator, responder])
def test_after_a_handshake_without_an_answer_the_next_dials_use_small_segments(make: Callable[[], Attempts]) -> None:
    machine = make()
    machine.planned(1)
    machine.failed(1, NO_HANDSHAKE, NOW)
    machine.tick(NOW + PAUSE_SECONDS) if make is initiator else machine.began()
    assert machine.planned(2) == [Dial(2, small=True)]
    assert machine.small


def test_a_remote_that_begins_again_after_a_success_did_not_get_the_connection() -> None:
    """The last message of its handshake is a full-size one: this side had sent it, and counted the connection."""
    machine = responder()
    machine.planned(1)
    machine.up("half")
    assert machine.began() == [Check(), Answer(2)]
    assert machine.outcome is None
    assert machine.planned(2) == []
    assert machine.checked(None) == [Dial(2, small=True)]


def test_what_was_learned_of_the_path_before_counts_from_the_first_dial_on() -> None:
    machine = Attempts(INITIATOR, small=True)
    machine.begin(NOW, exists=False)
    assert machine.planned(1) == [Dial(1, small=True)]


# The end of the relayed connection


@pytest.mark.parametrize("make", [initiator, responder])
def test_the_end_of_the_relayed_connection_ends_everything(make: Callable[[], Attempts]) -> None:
    machine = make()
    machine.planned(1)
    lost = Reason(reasons.CIRCUIT_LOST, why="the relay is gone")
    assert machine.lost("the relay is gone") == [Over(None, lost)]
    assert machine.up("late") == machine.failed(1, NO_ANSWER, NOW) == machine.planned(1) == []
    assert machine.refused(NOW) == machine.named() == machine.checked("late") == machine.tick(NEVER) == []
    assert machine.began() == [Reject()]
    assert machine.lost("again") == []


def test_a_connection_that_has_been_made_outlives_it() -> None:
    machine = responder()
    machine.planned(1)
    machine.up("direct")
    assert machine.lost("not needed any more") == []
    assert machine.outcome == Over("direct", None)
