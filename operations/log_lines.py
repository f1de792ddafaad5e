"""Log lines of several hosts: reads them, sorts them by time, makes them safe for a terminal. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kaspa_node.evidence.journal_lines import Line, LineError, parse_line, parse_plain
from operations.problems import UsageProblem
from operations.report import harmless

_AGO = re.compile(r"([0-9]{1,6})(s|min|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Entry:
    """A line. time: unix time by its host's clock. origin: the host's name, with that of a second unit behind a slash.

    cursor: its place in the system's journal, "" in a file. milestone: its name, or None. sentence: without the fields.
    """

    time: float
    origin: str
    text: str
    cursor: str = ""
    milestone: str | None = None
    sentence: str = ""


def from_journal(raw: str, host: str, service: str) -> Entry | None:
    """A line of `journalctl --output=json`; None if it is no line of the journal."""
    try:
        record = json.loads(raw)
        written = int(record["__REALTIME_TIMESTAMP"]) / 1e6
    except (ValueError, TypeError, KeyError):
        return None
    unit = str(record.get("_SYSTEMD_UNIT", "")).removesuffix(".service")
    about = str(record.get("UNIT", "")).removesuffix(".service")
    own = about or unit
    origin = host if own in ("", service) else f"{host}/{own.removeprefix('kaspa-')}"
    cursor = str(record.get("__CURSOR", ""))
    text = _message(record.get("MESSAGE"))
    if about:
        return Entry(written, origin, f"{stamp(written)} [systemd] {text}", cursor)
    return _entry(text, origin, written, cursor)


def from_file(text: str, host: str, before: float) -> Entry:
    """A line of a plain process's log; a line without a time gets that of the line before."""
    return _entry(text, host, before, "")


def _entry(text: str, origin: str, written: float, cursor: str) -> Entry:
    line = _parsed(text)
    if line is None:
        return Entry(written, origin, text, cursor)
    name = line.milestone.name if line.milestone else None
    return Entry(line.time, origin, text, cursor, name, line.sentence)


def _parsed(text: str) -> Line | None:
    for parse in (parse_line, parse_plain):
        try:
            return parse(0, text.encode(errors="replace"))
        except LineError:
            continue
    return None


def _message(value: Any) -> str:
    """The journal has text that is not UTF-8 as a list of bytes, and text that is too long as null."""
    if isinstance(value, list):
        return bytes(byte for byte in value if isinstance(byte, int) and 0 <= byte < 256).decode(errors="replace")
    return "(a line too long to be shown)" if value is None else str(value)


def in_order(hosts: Iterable[Iterable[Entry]]) -> list[Entry]:
    """All lines by time; each host's lines keep their order, even if its clock was set back."""
    keyed = []
    for entries in hosts:
        latest = float("-inf")
        for entry in entries:
            latest = max(latest, entry.time)
            keyed.append((latest, entry))
    return [entry for _, entry in sorted(keyed, key=lambda each: each[0])]


def shown(entry: Entry, width: int, *, milestones: bool) -> str:
    """The line with its origin in front, `width` wide. milestones: the event's name and sentence without its fields."""
    origin = entry.origin.ljust(width)
    if milestones and entry.milestone is not None:
        return harmless(f"{origin}  {stamp(entry.time)}  {entry.milestone:<26} {entry.sentence}")
    return harmless(f"{origin}  {entry.text}")


def stamp(time: float) -> str:
    """Unix time as the log lines have it."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}+00:00"


def since(text: str, now: float) -> float:
    """Unix time of `10min`, `2h`, `3d` ago, of `2026-11-23 10:00` (in UTC unless it says otherwise). UsageProblem."""
    ago = _AGO.fullmatch(text.replace(" ", ""))
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise UsageProblem(
            f"--since {text!r} is not a time: say 30s, 10min, 2h, 3d, or 2026-11-23 10:00 (UTC)"
        ) from None
