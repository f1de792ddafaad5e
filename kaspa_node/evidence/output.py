"""Judges a run directory and writes the results. No file outside `raw/` has an address in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from kaspa_node.evidence import junit, markdown
from kaspa_node.evidence.bundle import BundleError, load
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.decode import as_record, as_text, parse_json
from kaspa_node.evidence.journal_lines import MAX_LINE, raw_lines
from kaspa_node.evidence.redact import Redactor, legend, mapped, printable, redactor_for
from kaspa_node.evidence.report import examine

LATEST = "latest"
_REPORT = "report.json"


def judge_directory(directory: Path, expect: str | None = None) -> dict[str, Any]:
    """Judge `directory/raw`, write report.json, report.md, junit.xml and logs/ beside it, and point `latest` to it.

    Returns the owner's report, which has addresses and is written into raw/; its `exit_code` is that of the command.
    BundleError if the evidence can't be judged or the report can't be written.
    """
    case = Case(load(directory / "raw"))
    redactor = redactor_for(case)
    examined = examine(case, expect)[1] | {"legend": legend(case.run)}
    report = {name: mapped(value, printable) for name, value in examined.items()}
    shared = {name: mapped(value, redactor.text) for name, value in examined.items()}
    try:
        _replace(directory / "raw" / _REPORT, _json(report), mode=0o600)
        # `judge evidence/latest` must not make that link point to itself.
        _write(directory.resolve(), shared, case, redactor)
    except OSError as error:
        raise BundleError(f"{directory}: can't write the report: {error.strerror}; is there room and leave?") from None
    return report


def report_of(directory: Path) -> Path:
    """The report that the owner of a run reads: with addresses if raw/ has one, otherwise the one to share."""
    own = directory / "raw" / _REPORT
    return own if own.is_file() else directory / _REPORT


def story_of(directory: Path) -> list[str]:
    """The story of a run: the one in its report, otherwise made from `directory/raw`.

    A story with placeholders ends with what they mean. BundleError if there is neither, or if it can't be used.
    """
    told = _reported_story(report_of(directory))
    if told is not None:
        return told
    return [printable(line) for line in examine(Case(load(directory / "raw")))[1]["story"]]


def _reported_story(path: Path) -> list[str] | None:
    """None if there is not a report, or an old one without a story."""
    try:
        report = parse_json(path.name, path.read_text(encoding="utf-8"))
        if not report.present("story"):
            return None
        told = list(report.list("story", as_text))
        meanings = report.record("legend") if report.present("legend") else as_record("legend", {})
        used = [
            f"{name}: {meanings.text(name)}"
            for name in meanings.names
            if any(name.removesuffix("n>") in line for line in told)
        ]
        return told + [f"Addresses: {'; '.join(used)}."] if used else told
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BundleError(f"{path}: {error}; remove the file, and judge the run again") from None


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
                # The name of a host can be its address.
                _write_log(source, logs / redactor.text(target), redactor)
    _replace(directory / _REPORT, _json(report))
    _replace(directory / "report.md", markdown.render(report))
    _replace(directory / "junit.xml", junit.render(report))
    _link(directory.absolute())


def _write_log(source: Path, target: Path, redactor: Redactor) -> None:
    """Redacted line by line, so that the line numbers stay the same."""
    with source.open("rb") as lines, target.open("w", encoding="utf-8") as out:
        for _, raw in raw_lines(lines):
            cut = raw[:MAX_LINE].decode("utf-8", "backslashreplace") + (" …" if len(raw) > MAX_LINE else "")
            out.write(redactor.text(cut) + "\n")


def _json(report: dict[str, Any]) -> str:
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def _replace(path: Path, text: str, mode: int = 0o666) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode)
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
