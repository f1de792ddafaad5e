"""A complete proof is taken apart: every file, every line, every value that a direct verdict rests on."""

from __future__ import annotations

import copy
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaspa_node.evidence.bundle import BundleError, load
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.report import examine
from tests.unit.evidence.builder import HOSTS, Evidence, complete

Path_ = tuple[str | int, ...]
UNUSABLE = "unusable"

# What a verdict does not rest on: descriptions, figures that are only shown, and sources of what is proven twice.
FREE = (
    r"run/(session/(timings|punch)(/(?!attempts).*)?|exercise/(seconds|bytes_\w+))"
    r"|run/hosts/\w+/(os|version|public|addresses(/0)?)"
    r"|\w+/(before|after)/status/(role|version|circuits|reservations|relays)"
    r"|\w+/(before|after)/status/relays/0/(addr|observed|state)"
    r"|relay/(before|after)/status/reservations/\d/expires"
    r"|relay/after/status/reservations/\d/observed"
    r"|\w+/(before|after)/status/sessions/0/address"
    r"|\w+/(before|after)/sockets/\d/(bytes_sent|inode|pids(/0)?|cgroup)"
)
FREE_TO_LACK = re.compile(
    FREE + r"|run/session/punch/attempts|run/hosts/\w+/unreachable|\w+/(before|after)/error"
    r"|\w+/(before|after)/status/(relays|reservations)/\d"
)
FREE_TO_CHANGE = re.compile(
    FREE + r"|run/(ended|inventory)|run/hosts/\w+/role|\w+/(before|after)/status/(relays|reservations)/\d/peer_id"
)
FREE_LINES = ("dial.started", "peer.address", "kaspa.version.sent", "punch.started", "relay.circuit.opened")
FREE_FIELDS = {"addr", "seconds", "relay", "role", "addrs", "protocol", "network", "applied", "user_agent", "bound"}
FREE_FIELDS |= {"count", "relay_rtt"}


def verdict_of(evidence: Evidence) -> str:
    with tempfile.TemporaryDirectory() as directory:
        evidence.write(Path(directory))
        try:
            return str(examine(Case(load(Path(directory) / "raw")))[1]["verdict"])
        except BundleError:
            return UNUSABLE


def documents(evidence: Evidence) -> dict[str, dict[str, Any]]:
    return {"run": evidence.run} | {f"{h}/{label}": s for (h, label), s in evidence.snapshots.items()}


def paths(value: object, at: Path_ = ()) -> Iterator[Path_]:
    """Every value inside, containers included."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*at, key)
        yield from paths(child, (*at, key))


def place(document: Any, path: Path_) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


COMPLETE = complete()
VALUES = [(name, path) for name, document in documents(COMPLETE).items() for path in paths(document)]
NEEDED = [(n, p) for n, p in VALUES if not FREE_TO_LACK.fullmatch("/".join([n, *map(str, p)]))]
FIXED = [(n, p) for n, p in VALUES if not FREE_TO_CHANGE.fullmatch("/".join([n, *map(str, p)]))]


def named(name: str, path: Path_) -> str:
    return "/".join([name, *map(str, path)])


def test_the_complete_proof_passes() -> None:
    assert verdict_of(COMPLETE) == "PASS"


@pytest.mark.parametrize(("name", "path"), NEEDED, ids=[named(n, p) for n, p in NEEDED])
def test_without_any_one_value_it_is_no_pass(name: str, path: Path_) -> None:
    evidence = copy.deepcopy(COMPLETE)
    del place(documents(evidence)[name], path)[path[-1]]
    assert verdict_of(evidence) in ("FAIL", UNUSABLE)


def other(value: object) -> object:
    """A value of the same kind that says something else."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 50_000
    if isinstance(value, str):
        return value[:-1] + ("7" if value[-1] != "7" else "8")
    return [] if isinstance(value, list) else {} if isinstance(value, dict) else "something"


@pytest.mark.parametrize(("name", "path"), FIXED, ids=[named(n, p) for n, p in FIXED])
def test_with_any_one_value_changed_it_is_no_pass(name: str, path: Path_) -> None:
    evidence = copy.deepcopy(COMPLETE)
    parent = place(documents(evidence)[name], path)
    parent[path[-1]] = other(parent[path[-1]])
    assert verdict_of(evidence) in ("FAIL", UNUSABLE)


def test_byte_counts_are_needed_and_hold_only_together() -> None:
    for host in HOSTS:
        for label in ("before", "after"):
            for index in range(len(COMPLETE.snapshots[host, label]["sockets"])):
                for count in ("bytes_acked", "bytes_received"):
                    evidence = copy.deepcopy(COMPLETE)
                    entry = evidence.snapshots[host, label]["sockets"][index]
                    entry[count] = None
                    assert verdict_of(evidence) == "FAIL", (host, label, index, count)
                    entry[count] = 10_000_000
                    assert verdict_of(evidence) == "FAIL", (host, label, index, count)


LINES = [
    (host, index)
    for host in ("server", "client")
    for index, line in enumerate(COMPLETE.journals[host])
    if " milestone=" in line and not any(f" milestone={name} " in line for name in FREE_LINES)
]


@pytest.mark.parametrize(("host", "index"), LINES)
def test_without_any_one_line_it_is_no_pass(host: str, index: int) -> None:
    evidence = copy.deepcopy(COMPLETE)
    del evidence.journals[host][index]
    assert verdict_of(evidence) == "FAIL"


@pytest.mark.parametrize(("host", "index"), LINES)
def test_without_any_one_field_of_a_line_it_is_no_pass(host: str, index: int) -> None:
    line = COMPLETE.journals[host][index]
    head, mark, rest = line.partition(" milestone=")
    name, *fields = rest.split(" ")
    for field in fields:
        key, _, value = field.partition("=")
        if key in FREE_FIELDS or (key in ("local", "remote", "direction") and name != "connection.direct"):
            continue
        if key == "direction":
            continue
        for others in (
            [f for f in fields if f != field],
            [f if f != field else f"{key}={other(value)}" for f in fields],
        ):
            evidence = copy.deepcopy(COMPLETE)
            evidence.journals[host][index] = head + mark + " ".join([name, *others])
            # A first attempt that becomes a later one is still a direct session.
            assert verdict_of(evidence) == "FAIL", (key, others)


@pytest.mark.parametrize(
    "file", [p for h in HOSTS for p in (f"{h}/journal.log", f"{h}/snapshot-before.json", f"{h}/snapshot-after.json")]
)
def test_without_any_one_file_it_is_no_pass(file: str, tmp_path: Path) -> None:
    COMPLETE.write(tmp_path)
    (tmp_path / "raw" / file).unlink()
    report = examine(Case(load(tmp_path / "raw")))[1]
    assert report["verdict"] == "FAIL"
    assert report["proof"]["missing"][0] == "hosts"
    host, _, name = file.partition("/")
    assert host in report["reason"]
    assert name in report["reason"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_second_change_makes_up_for_a_missing_piece(data: st.DataObject) -> None:
    evidence = copy.deepcopy(COMPLETE)
    name, path = data.draw(st.sampled_from(NEEDED))
    del place(documents(evidence)[name], path)[path[-1]]
    changes = data.draw(st.lists(st.tuples(st.sampled_from(VALUES), json_values), max_size=4))
    for (where, at), value in changes:
        if (where, at[: len(path)]) == (name, path) or (where, path[: len(at)]) == (name, at):
            continue
        try:
            parent = place(documents(evidence)[where], at)
            parent[at[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    try:
        json.dumps(evidence.run).encode()
    except UnicodeEncodeError:
        return
    assert verdict_of(evidence) in ("FAIL", UNUSABLE)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["run.json", "client/snapshot-before.json", "relay/journal.log"]), st.binary()))
def test_no_content_of_a_file_raises(files: dict[str, bytes]) -> None:
    evidence = copy.deepcopy(COMPLETE)
    evidence.files = files
    assert verdict_of(evidence) in ("PASS", "FAIL", UNUSABLE)


@settings(max_examples=150, deadline=None)
@given(json_values, st.sampled_from(VALUES))
def test_no_value_raises(value: object, where: tuple[str, Path_]) -> None:
    evidence = copy.deepcopy(COMPLETE)
    name, path = where
    place(documents(evidence)[name], path)[path[-1]] = value
    assert verdict_of(evidence) in ("PASS", "PASS-FLAKY", "FAIL", UNUSABLE)
