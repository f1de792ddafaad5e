"""The verdict as a short table for the terminal."""

from __future__ import annotations

from typing import Any

_WIDTH = 100


def render(report: dict[str, Any], report_path: str) -> str:
    """At most a dozen short lines, the verdict first; texts in `report` are printable."""
    punch, dial, proof = report["punch"], report["dial"], report["proof"]
    rows = [
        ("verdict", report["verdict"]),
        ("path", f"{report['path']} (expected: {report['expect_path']})"),
        ("reason", report["reason"]),
    ]
    if report["exit_code"] or report["verdict"] != "PASS":
        rows.append(("hint", report["hint"]))
    if punch["attempts"]:
        trips = f", {punch['round_trips']} round trips to the first byte" if punch["round_trips"] is not None else ""
        rows.append(("hole punch", f"attempt {punch['attempts']}, {_seconds(punch['seconds'])}{trips}"))
    if report["session"] is not None:
        native = any(host["native"] is not None for host in report["hosts"].values())
        rows.append(("handshake", _handshake(report["handshake"]["seconds"], dial["to_ready_seconds"], native)))
        missing = ", ".join(proof["missing"]) or "complete"
        rows.append(("bytes", f"session {_count(proof['session_bytes'])}, by relay {_count(proof['relay_bytes'])}"))
        rows.append(("proof", missing if missing == "complete" else f"lacks {missing}"))
    rows += [("network", report["network_mode"]), ("run", report["run_id"]), ("report", report_path)]
    return "\n".join(line for name, text in rows for line in _row(name, text)) + "\n"


def _handshake(seconds: float | None, since_dial: float | None, native: bool) -> str:
    if native and since_dial is None:
        return f"{_seconds(seconds)}, by the native programs' logs"
    return f"{_seconds(seconds)}, {_seconds(since_dial)} from dial"


def _row(name: str, text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > _WIDTH - 13:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    return [f"  {name if index == 0 else '':<11}{part}" for index, part in enumerate(lines)]


def _seconds(value: float | None) -> str:
    return "time unknown" if value is None else f"{value:.3f} s"


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"
