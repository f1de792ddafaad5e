"""Who asks for more than its share makes a line, and ever fewer of them."""

from __future__ import annotations

import pytest

from kaspa_node.journal import LOGGED_ONE_BY_ONE
from kaspa_node.p2p import offenders as offenders_module
from kaspa_node.p2p.offenders import Offenders
from tests.unit.kaspa.shells import RecordingJournal


def lines(journal: RecordingJournal) -> list[tuple[object, object]]:
    return [(fields["who"], fields["count"]) for name, fields in journal.milestones if name == "work.refused"]


def test_one_offender_makes_a_line_at_its_first_tenth_and_hundredth_offence() -> None:
    journal = RecordingJournal()
    offenders = Offenders(journal)
    for _ in range(5000):
        offenders.note("192.0.2.1", "a call")
    assert lines(journal) == [("192.0.2.1", count) for count in (1, 10, 100, 1000)]
    assert offenders.count == 5000


def test_each_offender_makes_its_own_line_while_they_are_few() -> None:
    journal = RecordingJournal()
    offenders = Offenders(journal)
    for _ in range(3):
        for who in ("192.0.2.1", "192.0.2.2"):
            offenders.note(who, "a connection")
    assert lines(journal) == [("192.0.2.1", 1), ("192.0.2.2", 1)]


def test_very_many_offenders_fill_neither_the_log_nor_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offenders_module, "MOST_KNOWN", 10)
    journal = RecordingJournal()
    offenders = Offenders(journal)
    for number in range(1000):
        offenders.note(f"2001:db8:0:{number:x}::/64", "a call")
    assert len(offenders._known) == 10
    assert len(lines(journal)) < LOGGED_ONE_BY_ONE + 15
