"""Runs of verify on the controller, from their reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaspa_node.cli.explain import find
from kaspa_node.errors import RunError, one_line
from kaspa_node.evidence import table
from kaspa_node.evidence.bundle import BundleError
from kaspa_node.evidence.output import LATEST, report_of, story_of
from operations.problems import UsageProblem

REPORT = "report.json"


@dataclass(frozen=True)
class Run:
    """A run. report: the content of report.json, None if it was not judged. logs: redacted lines by host.

    legend: what the placeholders in the logs mean.
    """

    directory: Path
    report: Mapping[str, Any] | None
    story: list[str]
    table: str
    logs: Mapping[str, list[str]]
    legend: Mapping[str, str]

    @property
    def id(self) -> str:
        """Its name."""
        return self.directory.name


def read(evidence: Path, run: str | None) -> Run:
    """A run by its id, or the beginning of its id if that is unique; None: the newest. Raises UsageProblem."""
    try:
        directory = find(evidence, run).resolve()
        story = story_of(directory)
    except (RunError, BundleError) as error:
        raise UsageProblem(str(error).removesuffix(", or give the directory of its runs: --evidence DIR")) from None
    report = _report(directory)
    shown = f"  {_again(directory, 'not judged yet')}\n" if report is None else _table(directory, report)
    logs = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted(directory.glob("logs/*.log"))}
    legend = (report or {}).get("legend", {})
    return Run(directory, report, [one_line(line) for line in story], shown, logs, legend)


def listed(evidence: Path) -> list[dict[str, Any]]:
    """The runs, the newest first: run, verdict, path, expect_path, reason; without a report only the run."""
    rows = []
    for directory in sorted(evidence.iterdir() if evidence.is_dir() else (), reverse=True):
        if directory.name == LATEST or not ((directory / "raw").is_dir() or (directory / REPORT).is_file()):
            continue
        try:
            report, missing = _report(directory), "not judged yet"
        except UsageProblem as problem:
            report, missing = None, str(problem)
        told = {key: (report or {}).get(key) for key in ("verdict", "path", "expect_path", "reason")}
        rows.append({"run": directory.name, **told} | ({"reason": missing} if report is None else {}))
    return rows


def _report(directory: Path) -> dict[str, Any] | None:
    path = report_of(directory)
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageProblem(f"{path}: {error.strerror}") from None
    except ValueError:
        raise UsageProblem(_again(directory, f"{REPORT} is not JSON")) from None
    if not isinstance(report, dict):
        raise UsageProblem(_again(directory, f"{REPORT} is not a report"))
    return report


def _table(directory: Path, report: dict[str, Any]) -> str:
    try:
        return table.render(report, f"evidence/{directory.name}/report.md")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageProblem(_again(directory, f"{REPORT} is of another version, or damaged")) from None


def _again(directory: Path, what: str) -> str:
    return f"{directory.name}: {what}; judge it: python3 -m kaspa_node.evidence judge evidence/{directory.name}"
