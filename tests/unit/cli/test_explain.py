"""`kaspa-node explain`: which run is told, and what is said where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kaspa_node.cli import main
from tests.unit.evidence.builder import complete

STORY = ["A dialed B.", "So the verdict is PASS.\x1b[2J"]
RUNS = [f"20261123T10{minute:02}00Z-4f2a" for minute in range(7)]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with evidence/ of seven runs in it, the working directory; the third is the latest."""
    monkeypatch.chdir(tmp_path)
    for name in RUNS:
        directory = tmp_path / "evidence" / name
        directory.mkdir(parents=True)
        (directory / "report.json").write_text(json.dumps({"story": [f"This is {name}.", *STORY]}))
    (tmp_path / "evidence" / "latest").symlink_to(RUNS[2])
    (tmp_path / "evidence" / "20261124-notes.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "run"),
    [
        ([], RUNS[2]),
        (["latest"], RUNS[2]),
        ([RUNS[5]], RUNS[5]),
        (["20261123T1004"], RUNS[4]),
        ([f"evidence/{RUNS[1]}"], RUNS[1]),
        (["--evidence", "evidence/../evidence", RUNS[0]], RUNS[0]),
    ],
)
@pytest.mark.usefixtures("runs")
def test_the_run_that_is_told(words: list[str], run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *words]) == 0
    assert capsys.readouterr() == (
        f"Run {run}\n 1. This is {run}.\n 2. A dialed B.\n 3. So the verdict is PASS. [2J\n",
        "",
    )


def test_without_the_link_the_newest_is_told(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "evidence" / "latest").unlink()
    assert main(["explain"]) == 0
    assert f"This is {RUNS[-1]}." in capsys.readouterr().out


def test_a_run_that_was_not_judged_is_told_from_its_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(complete().write(tmp_path / "run"))]) == 0
    assert "So the verdict is PASS, path direct." in capsys.readouterr().out


NEWEST = ", ".join(reversed(RUNS[2:]))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["20261122"], f'no run "20261122" in "evidence"; the newest: {NEWEST} and 2 more'),
        ([""], f'no run "" in "evidence"; the newest: {NEWEST} and 2 more'),
        (["a\0b"], f'no run "a\\u0000b" in "evidence"; the newest: {NEWEST} and 2 more'),
        (["2026"], f'7 runs begin with "2026": {NEWEST} and 2 more'),
        (
            ["--evidence", "/nowhere"],
            'no run in "/nowhere": run verify.yml first, or give the directory of its runs: --evidence',
        ),
        (["--evidence", "evidence/20261124-notes.txt"], 'no runs in "evidence/20261124-notes.txt": Not a directory'),
    ],
)
@pytest.mark.usefixtures("runs")
def test_a_run_that_there_is_not(words: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"kaspa-node: {error}")
    assert captured.err.count("\n") == 1


def test_unusable_evidence_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = complete()
    evidence.files["run.json"] = b"{"
    assert main(["explain", str(evidence.write(tmp_path / "run"))]) == 2
    error = capsys.readouterr().err
    assert "run.json: not JSON" in error
    assert error.count("\n") == 1
