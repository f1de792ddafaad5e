"""Real runs that are no PASS: no change of one thing makes one of them, and no few changes do."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.evidence.changes import changed_fields, json_values, lines_of, named, other, place, put, values, without
from tests.evidence.corpus import DIRECT, NOT_PASSING, recorded
from tests.evidence.forgeries import all_claims, punch_lines, root_on
from tests.evidence.judging import PASSING, UNUSABLE, Workbench
from tests.unit.evidence.builder import Evidence

# Each of these judges a run some hundred times, which takes long on a busy machine.
pytestmark = pytest.mark.timeout(600)

REAL = recorded(DIRECT)
EXPECTED = {"relay-only": "RELAYED", "not-punched": "FAIL", "no-server": "FAIL"}
every_run = pytest.mark.parametrize("run", NOT_PASSING)


def lies() -> dict[str, Evidence]:
    """Real relayed runs, with more and more of it forged to look direct."""
    found = {}
    for forge in (all_claims, punch_lines, root_on("client"), root_on("server"), root_on("client", "server")):
        for run in ("relay-only", "not-punched"):
            found[f"{forge.__name__}-{run}"] = recorded(run)
            forge(found[f"{forge.__name__}-{run}"])
    return found


LIES = lies()
EVERYTHING = {**{run: recorded(run) for run in NOT_PASSING}, **LIES}


@every_run
def test_the_run_is_no_pass(run: str, workbench: Workbench) -> None:
    assert workbench.verdict(recorded(run)) == EXPECTED[run]


def one_value_changed(evidence: Evidence) -> Iterator[tuple[str, Evidence]]:
    for at in values(evidence):
        yield f"without {named(at)}", without(evidence, at)
        found = place(evidence, at)
        for value in (other(found), "direct", None):
            if value != found:
                yield f"{named(at)} = {value!r}", put(evidence, at, value)


@every_run
def test_no_value_changed_makes_it_one(run: str, workbench: Workbench) -> None:
    evidence = recorded(run)
    assert [what for what, changed in one_value_changed(evidence) if workbench.verdict(changed) in PASSING] == []


@every_run
def test_no_value_of_a_real_pass_makes_it_one(run: str, workbench: Workbench) -> None:
    evidence = recorded(run)
    there = set(values(REAL))
    grafts = ((at, put(evidence, at, place(REAL, at))) for at in values(evidence) if at in there)
    assert [named(at) for at, changed in grafts if workbench.verdict(changed) in PASSING] == []


def one_line_changed(evidence: Evidence) -> Iterator[tuple[str, Evidence]]:
    for host, index in lines_of(evidence):
        line = evidence.journals[host][index]
        versions = [[], [line, line], *([changed] for _, changed in changed_fields(line) if " milestone=" in line)]
        versions.append([line.replace("path=relayed", "path=direct")])
        for version in versions:
            changed = copy.deepcopy(evidence)
            changed.journals[host][index : index + 1] = version
            yield f"{host}: {version}", changed


@every_run
def test_no_line_changed_makes_it_one(run: str, workbench: Workbench) -> None:
    changes = one_line_changed(recorded(run))
    assert [what for what, changed in changes if workbench.verdict(changed) in PASSING] == []


@every_run
def test_no_line_of_a_real_pass_makes_it_one(run: str, workbench: Workbench) -> None:
    evidence = recorded(run)
    for host, index in lines_of(REAL):
        line = REAL.journals[host][index].replace(REAL.run["run_id"], evidence.run["run_id"])
        for place_ in (0, len(evidence.journals[host])):
            changed = copy.deepcopy(evidence)
            changed.journals[host].insert(place_, line)
            assert workbench.verdict(changed) not in PASSING, line


@pytest.mark.parametrize("lie", LIES)
def test_nothing_taken_from_a_lie_makes_it_true(lie: str, workbench: Workbench) -> None:
    evidence = LIES[lie]
    assert workbench.verdict(evidence) == "FAIL"
    changes = ((named(at), without(evidence, at)) for at in values(evidence))
    assert [what for what, changed in changes if workbench.verdict(changed) in PASSING] == []
    for host, index in lines_of(evidence):
        changed = copy.deepcopy(evidence)
        del changed.journals[host][index]
        assert workbench.verdict(changed) in ("FAIL", UNUSABLE)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_few_changes_make_one(workbench: Workbench, data: st.DataObject) -> None:
    evidence = EVERYTHING[data.draw(st.sampled_from(sorted(EVERYTHING)))]
    places = st.sampled_from(values(evidence))
    told = json_values | st.sampled_from(["direct", "ready", 0, 1, 20_000])
    for at, value in data.draw(st.lists(st.tuples(places, told), max_size=5)):
        try:
            evidence = put(evidence, at, value)
        except (KeyError, IndexError, TypeError):
            continue
    assert workbench.verdict(evidence) not in PASSING
