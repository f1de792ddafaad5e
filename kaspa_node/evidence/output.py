"""Judges a run directory and writes the results: nothing unredacted leaves `raw/`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from kaspa_node.evidence import junit, markdown
from kaspa_node.evidence.bundle import BundleError, load
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.decode import as_text, parse_json
from kaspa_node.evidence.journal_lines import MAX_LINE, raw_lines
from kaspa_node.evidence.redact import Redactor, redactor_for
from kaspa_node.evidence.report import examine

LATEST = "latest"


def judge_directory(directory: Path, expect: str | None = None) -> dict[str, Any]:
    """Judge `directory/raw`, write report.json, report.md, junit.xml and logs/ beside it, and point `latest` to it.

    Returns the redacted report; its `exit_code` is that of the command. BundleError if the evidence can't be judged or
    the report can't be written.
    """
    case = Case(load(directory / "raw"))
    redactor = redactor_for(case)
    _, unredacted = examine(case, expect)
    report = {name: redactor.value(value) for name, value in unredacted.items()}
    try:
        # `judge evidence/latest` must not make that link point to itself.
        _write(directory.resolve(), report, case, redactor)
    except OSError as error:
        raise BundleError(f"{directory}: can't write the report: {error.strerror}; is there room and leave?") from None
    return report


def story_of(directory: Path) -> list[str]:
    """The story of a run, redacted: the one in its report, otherwise made from `directory/raw`.

    BundleError if there is neither, or if it can't be used.
    """
    told = _reported_story(directory / "report.json")
    if told is not None:
        return told
    case = Case(load(directory / "raw"))
    redactor = redactor_for(case)
    return [redactor.text(line) for line in examine(case)[1]["story"]]


def _reported_story(path: Path) -> list[str] | None:
    """None if there is not a report, or an old one without a story."""
    try:
        report = parse_json(path.name, path.read_text(encoding="utf-8"))
        return list(report.list("story", as_text)) if report.present("story") else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BundleError(f"{path.parent}: {error}; remove the file, and the story is told from raw/") from None


def _write(directory: Path, report: dict[str, Any], case: Case, redactor: Redactor) -> None:
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    for host in case.run.hosts:
        raw = directory / "raw" / host.name
        for source, target in (
            (raw / "journal.log", f"{host.name}.log"),
            (raw / "native.log", f"{host.name}.native.log"),
        ):
            if source.is_file():
                _write_log(source, logs / target, redactor)
    _replace(directory / "report.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    _replace(directory / "report.md", markdown.render(report))
    _replace(directory / "junit.xml", junit.render(report))
    _link(directory.absolute())


def _write_log(source: Path, target: Path, redactor: Redactor) -> None:
    """Redacted line by line, so that the line numbers stay the same."""
    with source.open("rb") as lines, target.open("w", encoding="utf-8") as out:
        for _, raw in raw_lines(lines):
            cut = raw[:MAX_LINE].decode("utf-8", "backslashreplace") + (" …" if len(raw) > MAX_LINE else "")
            out.write(redactor.text(cut) + "\n")


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _link(directory: Path) -> None:
    link = directory.parent / LATEST
    if link.exists() and not link.is_symlink():
        return
    partial = directory.parent / f".{LATEST}.{os.getpid()}"
    partial.unlink(missing_ok=True)
    partial.symlink_to(directory.name)
    partial.replace(link)
