"""The vocabulary is sound: whoever emits a milestone can rely on its name, sentence and fields."""

from __future__ import annotations

import logging
import string

import pytest

from kaspa_node import milestones
from kaspa_node.milestones import ALL, PEER, RELAY, Milestone


@pytest.mark.parametrize("milestone", ALL, ids=str)
def test_a_milestone_is_sound(milestone: Milestone) -> None:
    named = {name for _, name, _, _ in string.Formatter().parse(milestone.sentence) if name is not None}
    assert named <= set(milestone.fields), "a sentence can only name fields of its line"
    assert len(set(milestone.fields)) == len(milestone.fields)
    assert set(milestone.roles) <= {RELAY, PEER}
    assert milestone.roles
    assert milestone.level in (logging.DEBUG, logging.INFO, logging.WARNING)
    assert milestone.sentence.format(**dict.fromkeys(milestone.fields, "x")).isprintable()
    assert all(name.isidentifier() and name != "milestone" for name in milestone.fields)


def test_each_name_is_found_once() -> None:
    assert len({milestone.name for milestone in ALL}) == len(ALL)
    assert all(milestones.named(milestone.name) is milestone for milestone in ALL)
    assert milestones.named("no.such.milestone") is None


def test_every_milestone_of_the_module_is_in_the_list() -> None:
    assert {value for value in vars(milestones).values() if isinstance(value, Milestone)} == set(ALL)


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(ValueError, match="defined twice"):
        milestones._define(ALL[0].name, (PEER,), logging.INFO, "x")
    assert len({milestone.name for milestone in ALL}) == len(ALL)
