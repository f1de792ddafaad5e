from __future__ import annotations

from pathlib import Path

import pytest

from kaspa_node.evidence.bundle import load
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.findings import Missing, Proven
from kaspa_node.evidence.proof import PIECES, Piece, look, look_for_all, required
from tests.unit.evidence.builder import Evidence, complete


def case(evidence: Evidence, directory: Path) -> Case:
    return Case(load(evidence.write(directory) / "raw"))


@pytest.mark.parametrize("path", ["direct", "relayed"])
def test_complete_evidence_proves_every_piece_of_its_path(path: str, tmp_path: Path) -> None:
    findings = look_for_all(case(complete(path), tmp_path), path)
    assert list(findings) == [piece.key for piece in required(path)]
    assert {type(finding) for finding in findings.values()} == {Proven}


@pytest.mark.parametrize("path", ["direct", "relayed"])
def test_a_relay_behind_a_nat_has_another_address_than_its_peers_dial(path: str, tmp_path: Path) -> None:
    evidence = complete(path)
    evidence.run["hosts"]["relay"]["addresses"] = ["10.3.0.2"]
    for snapshot in evidence.both("relay"):
        for entry in snapshot["sockets"]:
            entry["local"] = "10.3.0.2:4011"
    findings = look_for_all(case(evidence, tmp_path), path)
    assert {type(finding) for finding in findings.values()} == {Proven}
    evidence.run["hosts"]["relay"]["public"] = None
    findings = look_for_all(case(evidence, tmp_path / "unknown"), path)
    assert isinstance(findings["bytes.relay" if path == "direct" else "bytes.carried"], Missing)


@pytest.mark.parametrize("piece", PIECES, ids=[piece.key for piece in PIECES])
def test_without_a_session_no_piece_about_it_is_proven(piece: Piece, tmp_path: Path) -> None:
    evidence = complete()
    evidence.run["session"] = {"error": "timed out"}
    evidence.run["exercise"] = {"error": "no session"}
    evidence.after("relay")["status"]["pairs"] = None
    finding = look(piece, case(evidence, tmp_path))
    about_hosts = ("hosts", "clocks", "services", "identity")
    if piece.key in about_hosts:
        assert isinstance(finding, Proven)
    else:
        assert isinstance(finding, Missing)


def test_a_path_that_is_none_requires_nothing_and_keys_are_unique() -> None:
    assert required("elsewhere") == ()
    assert len({piece.key for piece in PIECES}) == len(PIECES)
    assert all(piece.proves and piece.source for piece in PIECES)
