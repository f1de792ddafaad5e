"""A complete proof is taken apart: every file, every line, every value that a direct verdict rests on."""

from __future__ import annotations

import copy
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.evidence.changes import (
    changed_fields,
    documents,
    json_values,
    lines_of,
    named,
    other,
    place,
    put,
    values,
    without,
)
from tests.evidence.corpus import DIRECT, recorded
from tests.evidence.judging import PASSING, UNUSABLE, Workbench
from tests.unit.evidence.builder import HOSTS, Evidence, complete

BOTH = {"made": complete(), "recorded": recorded(DIRECT)}
both = pytest.mark.parametrize("name", BOTH)
one_workbench = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# What a verdict does not rest on: descriptions, figures that are only shown, and sources of what is proven twice.
FREE = (
    r"run/(session/(timings|punch)(/(?!attempts).*)?|exercise/(seconds|bytes_\w+)|network_mode)"
    r"|run/hosts/\w+/(os|version|public|addresses(/0)?)"
    r"|\w+/(before|after)/status/(role|version|circuits|reservations|relays|pid|since|network|listen|remotes|counters)"
    r"|\w+/(before|after)/status/(circuits|listen|remotes|counters)/.*"
    r"|\w+/(before|after)/status/relays/0/(addr|observed|state|expires|reason)"
    r"|relay/(before|after)/status/reservations/\d/expires"
    r"|relay/after/status/reservations/\d/observed"
    r"|\w+/(before|after)/status/sessions/0/(address|since|applied_protocol|user_agent|run|local|remote|bytes_\w+)"
    r"|\w+/(before|after)/sockets/\d/(bytes_sent|inode|pids(/0)?|cgroup)"
)
FREE_TO_LACK = re.compile(
    FREE + r"|run/session/punch/attempts|run/hosts/\w+/unreachable|\w+/(before|after)/error"
    r"|\w+/(before|after)/status/(relays|reservations)/\d"
)
FREE_TO_CHANGE = re.compile(
    FREE + r"|run/(ended|inventory)|run/hosts/\w+/role|\w+/(before|after)/status/(relays|reservations)/\d/peer_id"
)
FREE_LINES = ("dial.started", "peer.address", "kaspa.version.sent", "punch.started", "session.exercised")
FREE_FIELDS = {"addr", "seconds", "relay", "role", "addrs", "protocol", "network", "applied", "user_agent", "bound"}
FREE_FIELDS |= {"count", "relay_rtt"}


def is_free_line(evidence: Evidence, line: str) -> bool:
    """Whether the verdict can do without it: a punch is written by both peers, and other connections may end."""
    name = line.partition(" milestone=")[2].partition(" ")[0]
    if name == "punch.succeeded":
        return sum(" milestone=punch.succeeded " in x for lines in evidence.journals.values() for x in lines) > 1
    return name in ("", "connection.closed", *FREE_LINES)


def needed_lines(evidence: Evidence) -> list[tuple[str, int]]:
    return [(host, i) for host, i in lines_of(evidence) if not is_free_line(evidence, evidence.journals[host][i])]


@both
def test_the_complete_proof_passes(name: str, workbench: Workbench) -> None:
    assert workbench.verdict(BOTH[name]) == "PASS"


@both
def test_without_any_one_value_it_is_no_pass(name: str, workbench: Workbench) -> None:
    evidence = BOTH[name]
    needed = [at for at in values(evidence) if not FREE_TO_LACK.fullmatch(named(at))]
    assert [named(at) for at in needed if workbench.verdict(without(evidence, at)) in PASSING] == []
    assert len(needed) > 200


@both
def test_with_any_one_value_changed_it_is_no_pass(name: str, workbench: Workbench) -> None:
    evidence = BOTH[name]
    fixed = [at for at in values(evidence) if not FREE_TO_CHANGE.fullmatch(named(at))]
    passed = [named(at) for at in fixed if workbench.verdict(put(evidence, at, other(place(evidence, at)))) in PASSING]
    assert passed == []
    assert len(fixed) > 200


@both
def test_byte_counts_are_needed_and_hold_only_together(name: str, workbench: Workbench) -> None:
    for at in values(BOTH[name]):
        if at[1][-1] in ("bytes_acked", "bytes_received") and "sockets" in at[1]:
            assert workbench.verdict(put(BOTH[name], at, None)) == "FAIL", named(at)
            assert workbench.verdict(put(BOTH[name], at, 10_000_000)) == "FAIL", named(at)


@both
def test_without_any_one_line_it_is_no_pass(name: str, workbench: Workbench) -> None:
    for host, index in needed_lines(BOTH[name]):
        evidence = copy.deepcopy(BOTH[name])
        line = evidence.journals[host].pop(index)
        assert workbench.verdict(evidence) == "FAIL", line


@both
def test_without_any_one_field_of_a_line_it_is_no_pass(name: str, workbench: Workbench) -> None:
    """A first attempt that becomes a later one would still be a direct session, but no journal may say it alone."""
    evidence = BOTH[name]
    for host, index in needed_lines(evidence):
        for field, line in changed_fields(evidence.journals[host][index]):
            ends = field in ("local", "remote", "direction") and " milestone=connection.direct " not in line
            if field in FREE_FIELDS or ends or field == "direction":
                continue
            doctored = copy.deepcopy(evidence)
            doctored.journals[host][index] = line
            assert workbench.verdict(doctored) == "FAIL", line


@pytest.mark.parametrize("file", ["journal.log", "snapshot-before.json", "snapshot-after.json"])
@pytest.mark.parametrize("host", HOSTS)
@both
def test_without_any_one_file_it_is_no_pass(name: str, host: str, file: str, workbench: Workbench) -> None:
    evidence = copy.deepcopy(BOTH[name])
    if file == "journal.log":
        del evidence.journals[host]
    else:
        del evidence.snapshots[host, file.removeprefix("snapshot-").removesuffix(".json")]
    report = workbench.judge(evidence)
    assert report["verdict"] == "FAIL"
    assert report["proof"]["missing"][0] == "hosts"
    assert host in report["reason"]
    assert file in report["reason"]


@one_workbench
@given(st.data())
def test_no_second_change_makes_up_for_a_missing_piece(workbench: Workbench, data: st.DataObject) -> None:
    evidence = BOTH[data.draw(st.sampled_from(sorted(BOTH)))]
    missing = data.draw(st.sampled_from([at for at in values(evidence) if not FREE_TO_LACK.fullmatch(named(at))]))
    doctored = without(evidence, missing)
    for at, value in data.draw(st.lists(st.tuples(st.sampled_from(values(evidence)), json_values), max_size=4)):
        shorter = min(len(at[1]), len(missing[1]))
        if at[0] == missing[0] and at[1][:shorter] == missing[1][:shorter]:
            continue
        try:
            doctored = put(doctored, at, value)
        except (KeyError, IndexError, TypeError):
            continue
    assert workbench.verdict(doctored) in ("FAIL", UNUSABLE)


@one_workbench
@given(st.dictionaries(st.sampled_from(["run.json", "client/snapshot-before.json", "relay/journal.log"]), st.binary()))
def test_no_content_of_a_file_raises(workbench: Workbench, files: dict[str, bytes]) -> None:
    evidence = copy.deepcopy(BOTH["made"])
    evidence.files = files
    assert workbench.verdict(evidence) in ("PASS", "FAIL", UNUSABLE)


@one_workbench
@given(json_values, st.sampled_from(values(BOTH["made"])))
def test_no_value_raises(workbench: Workbench, value: object, at: tuple[str, tuple[str | int, ...]]) -> None:
    assert workbench.verdict(put(BOTH["made"], at, value)) in ("PASS", "PASS-FLAKY", "FAIL", UNUSABLE)


def test_every_document_is_taken_apart() -> None:
    assert {name for name, _ in values(BOTH["recorded"])} == set(documents(BOTH["recorded"]))
