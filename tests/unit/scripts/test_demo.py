from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import demo
from commands import Problem


@pytest.mark.parametrize(
    ("verdict", "path", "success"),
    [("PASS", "direct", True), ("PASS-FLAKY", "direct", False), ("RELAYED", "relayed", False), ("FAIL", "none", False)],
)
def test_only_a_pass_over_the_direct_path_is_a_success(tmp_path: Path, verdict: str, path: str, success: bool) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"verdict": verdict, "path": path}))
    assert demo.proven_direct(tmp_path) is success


def test_a_report_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="report.json can't be read"):
        demo.proven_direct(tmp_path)


def answered(monkeypatch: pytest.MonkeyPatch, stdout: str, status: int = 0) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, status, stdout, "it broke")

    monkeypatch.setattr(demo.subprocess, "run", run)


def test_the_lab_says_whether_hosts_can_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, '{"booted": true, "reason": null}')
    assert demo.why_not_booted() is None
    answered(monkeypatch, '{"booted": false, "reason": "root: run as root"}', status=1)
    assert demo.why_not_booted() == "root: run as root"


def test_a_broken_precheck_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, "", status=2)
    with pytest.raises(Problem, match="precheck failed: it broke"):
        demo.why_not_booted()


def test_programs_of_the_checkout_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    environment = demo.clean()
    assert environment["PATH"].endswith("/.venv/bin:/usr/bin")
    assert "PYTHONPATH" not in environment
