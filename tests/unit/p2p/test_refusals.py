"""Who is not let in: always counted, logged in moderation."""

from __future__ import annotations

from kaspa_node.journal import LOGGED_ONE_BY_ONE, THEN_EVERY
from kaspa_node.p2p.refusals import Refusals
from tests.unit.kaspa.shells import RecordingJournal


def test_who_is_permitted_leaves_no_trace() -> None:
    journal = RecordingJournal()
    refusals = Refusals({"friend"}.__contains__, journal)
    assert refusals.permit("friend", "circuit")
    assert (refusals.count, journal.milestones) == (0, [])


def test_who_is_not_is_named_with_what_it_wanted() -> None:
    journal = RecordingJournal()
    refusals = Refusals({"friend"}.__contains__, journal)
    assert not refusals.permit("stranger", "circuit")
    assert journal.of("peer.refused") == {"what": "circuit", "peer": "stranger", "count": 1}


def test_a_stranger_that_knocks_all_day_does_not_fill_the_log() -> None:
    journal = RecordingJournal()
    refusals = Refusals(lambda peer: False, journal)
    for _ in range(1000):
        refusals.permit("stranger", "reservation")
    assert refusals.count == 1000
    counts = [fields["count"] for _, fields in journal.milestones]
    assert counts == [*range(1, LOGGED_ONE_BY_ONE + 1), *range(THEN_EVERY, 1001, THEN_EVERY)]
