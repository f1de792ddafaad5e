"""Runs of verify as `fab evidence` reads them, made by the judge itself; and what is said of those that are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kaspa_node.evidence.output import judge_directory
from operations import runs
from operations.problems import UsageProblem

SAMPLES = Path(__file__).parents[2] / "evidence" / "runs"
DIRECT, RELAYED = "20261123T070318Z-dee8", "20261123T080000Z-0001"
UNJUDGED = "20261124T080000Z-0002"


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """Three runs, two of them judged; the latest is the direct one."""
    place = tmp_path / "evidence"
    for name, sample in ((RELAYED, "not-punched"), (DIRECT, "direct"), (UNJUDGED, "direct")):
        shutil.copytree(SAMPLES / sample, place / name)
        if name != UNJUDGED:
            judge_directory(place / name)
    return place


def test_the_latest_run(evidence: Path) -> None:
    run = runs.read(evidence, None)
    assert run.id == DIRECT
    assert run.report is not None
    assert run.report["verdict"] == "PASS"
    assert "  verdict    PASS\n  path       direct (expected: direct)\n" in run.table
    assert f"  report     evidence/{DIRECT}/report.md\n" in run.table
    assert run.story[-1].startswith("So the verdict is PASS, path direct.")


def test_its_redacted_lines(evidence: Path) -> None:
    logs = runs.read(evidence, None).logs
    assert list(logs) == ["client", "relay", "server"]
    assert any("<HOME_IP>:4012" in line for line in logs["client"])
    assert not any("203.0.113." in line for lines in logs.values() for line in lines)
    assert runs.read(evidence, None).legend["<HOME_IP>"] == "the address of server as relay sees it"


def test_its_owner_sees_addresses(evidence: Path) -> None:
    run = runs.read(evidence, None)
    assert any("203.0.113.30:4012" in line for line in run.story)
    assert not any("<HOME_IP>" in line for line in run.story)


def test_of_a_run_that_somebody_shared_placeholders_are_explained(evidence: Path) -> None:
    (evidence / DIRECT / "raw").rename(evidence / "raw-of-others")
    run = runs.read(evidence, DIRECT)
    assert "<HOME_IP>: the address of server as relay sees it" in run.story[-1]
    assert run.report is not None


def test_a_run_by_the_beginning_of_its_id(evidence: Path) -> None:
    assert runs.read(evidence, "20261123T08").id == RELAYED


def test_a_beginning_that_two_have(evidence: Path) -> None:
    with pytest.raises(UsageProblem, match=f'^2 runs begin with "20261123": {RELAYED}, {DIRECT}$'):
        runs.read(evidence, "20261123")


def test_an_unknown_run(evidence: Path) -> None:
    with pytest.raises(UsageProblem, match=f'^no run "today" in .*; the newest: {UNJUDGED}, {RELAYED}, {DIRECT}$'):
        runs.read(evidence, "today")


def test_no_run_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"^no run in .*: run verify.yml first"):
        runs.read(tmp_path / "evidence", None)
    assert runs.listed(tmp_path / "evidence") == []


def test_a_run_that_nobody_has_judged(evidence: Path) -> None:
    run = runs.read(evidence, UNJUDGED)
    assert run.report is None
    assert run.table == (
        f"  {UNJUDGED}: not judged yet; judge it: python3 -m kaspa_node.evidence judge evidence/{UNJUDGED}\n"
    )
    assert run.story[-1].startswith("So the verdict is PASS")
    assert run.logs == {}


def test_the_list_begins_with_the_newest(evidence: Path) -> None:
    (evidence / "notes").mkdir()
    rows = runs.listed(evidence)
    assert [(row["run"], row["verdict"], row["path"]) for row in rows] == [
        (UNJUDGED, None, None),
        (RELAYED, "FAIL", "relayed"),
        (DIRECT, "PASS", "direct"),
    ]
    assert rows[0]["reason"] == "not judged yet"
    assert rows[1]["reason"].startswith("The handshake works, but over the relay")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"story": ["It was."]}', "is of another version, or damaged"),
        ('{"story": ["It was."], "verdict": 1}', "is of another version, or damaged"),
        ("[]", r"report.json"),
        ("{", r"report.json"),
    ],
)
def test_a_damaged_report_is_one_line(evidence: Path, content: str, said: str) -> None:
    (evidence / DIRECT / "raw" / "report.json").write_text(content)
    with pytest.raises(UsageProblem, match=said) as caught:
        runs.read(evidence, DIRECT)
    assert "\n" not in str(caught.value)
    assert [row["run"] for row in runs.listed(evidence)] == [UNJUDGED, RELAYED, DIRECT]
