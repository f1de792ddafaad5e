from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaspa_node.evidence.bundle import BundleError, Exercise, Failure, Session, load
from kaspa_node.evidence.snapshot import Snapshot
from tests.unit.evidence.builder import Evidence, complete


def loaded_error(evidence: Evidence, directory: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load(evidence.write(directory) / "raw")
    return str(caught.value)


def test_three_different_hosts_are_needed(tmp_path: Path) -> None:
    evidence = complete()
    evidence.run["pair"]["relay"] = "client"
    assert "client, server and relay should be three host names" in loaded_error(evidence, tmp_path)


@pytest.mark.parametrize("name", ["../elsewhere", ".", "a/b"])
def test_a_host_name_can_not_lead_out_of_the_directory(name: str, tmp_path: Path) -> None:
    evidence = complete()
    evidence.run["pair"]["relay"] = name
    evidence.run["hosts"][name] = evidence.run["hosts"]["relay"]
    assert "should be three host names" in loaded_error(evidence, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"{}"])
def test_a_damaged_run_json_is_named(content: bytes, tmp_path: Path) -> None:
    evidence = complete()
    evidence.files["run.json"] = content
    assert "run.json: " in loaded_error(evidence, tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    evidence = complete()
    evidence.files["client/snapshot-before.json"] = b" " * (16 * 1024 * 1024 + 1)
    bundle = load(evidence.write(tmp_path) / "raw")
    assert bundle.snapshots["before"]["client"] == Failure("snapshot-before.json: larger than 16777216 bytes")


def test_a_damaged_snapshot_is_evidence_that_is_missing(tmp_path: Path) -> None:
    evidence = complete()
    evidence.files["client/snapshot-before.json"] = b"\xff"
    evidence.before("server")["host"] = "client"
    evidence.before("relay")["sockets"][0]["bytes_acked"] = -1
    bundle = load(evidence.write(tmp_path) / "raw")
    assert bundle.snapshots["before"]["client"] == Failure("snapshot-before.json: not UTF-8")
    assert bundle.snapshots["before"]["server"] == Failure("snapshot-before.json: host is 'client', expected 'server'")
    assert isinstance(bundle.snapshots["before"]["relay"], Failure)
    assert "sockets[0]: bytes_acked should be a whole number" in bundle.snapshots["before"]["relay"].error
    assert isinstance(bundle.snapshots["after"]["client"], Snapshot)


def test_replies_may_come_in_their_envelope(tmp_path: Path) -> None:
    evidence = complete()
    evidence.run["session"] = {"ok": True, "session": evidence.run["session"]}
    evidence.run["exercise"] = {"ok": True, "exercise": evidence.run["exercise"]}
    evidence.before("client")["status"] = {"ok": True, "status": evidence.before("client")["status"]}
    bundle = load(evidence.write(tmp_path) / "raw")
    assert isinstance(bundle.run.session, Session)
    assert isinstance(bundle.run.exercise, Exercise)
    assert isinstance(bundle.snapshots["before"]["client"], Snapshot)
    evidence.run["session"] = {"ok": False, "error": "no such remote"}
    assert load(evidence.write(tmp_path) / "raw").run.session == Failure("no such remote")


def test_a_socket_without_a_port_is_kept_but_has_no_end(tmp_path: Path) -> None:
    evidence = complete()
    evidence.before("client")["sockets"].append({"state": "LISTEN", "local": "0.0.0.0:4012", "remote": "0.0.0.0:*"})
    snapshot = load(evidence.write(tmp_path) / "raw").snapshots["before"]["client"]
    assert isinstance(snapshot, Snapshot)
    assert snapshot.sockets is not None
    assert snapshot.sockets[-1].remote is None


def test_reservations_without_an_address_are_kept(tmp_path: Path) -> None:
    evidence = complete()
    evidence.before("client")["status"]["relays"] = [{"peer_id": "x", "reason": "full"}]
    snapshot = load(evidence.write(tmp_path) / "raw").snapshots["before"]["client"]
    assert isinstance(snapshot, Snapshot)
    assert snapshot.status is not None
    (relay,) = snapshot.status.relays
    assert (relay.peer_id, relay.observed, relay.state, relay.reason) == ("x", None, "reserved", "full")


def test_the_file_is_plain_json(tmp_path: Path) -> None:
    complete().write(tmp_path)
    assert json.loads((tmp_path / "raw" / "run.json").read_text())["pair"]["client"] == "client"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FILES = ("run.json", "client/journal.log", "client/snapshot-before.json", "relay/snapshot-after.json")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_a_file_holds_there_is_a_bundle_or_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    evidence = complete()
    evidence.files[name] = content
    directory = evidence.write(tmp_path) / "raw"
    if name == "run.json":
        with pytest.raises(BundleError, match=r"\A[^\n]*\Z"):
            load(directory)
        return
    bundle = load(directory)
    found = {
        "client/snapshot-before.json": bundle.snapshots["before"]["client"],
        "relay/snapshot-after.json": bundle.snapshots["after"]["relay"],
    }
    assert name not in found or isinstance(found[name], Failure)
