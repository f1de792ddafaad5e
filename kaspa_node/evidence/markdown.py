"""report.md: environment, timeline, proof, notes and verdict, then the run as a story."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Rows = Sequence[tuple[str, ...]]


def render(report: dict[str, Any]) -> str:
    """The report as markdown; texts in `report` are already redacted, and are escaped here."""
    sections = [
        _title(report),
        _environment(report),
        _timeline(report),
        _proof(report),
        _notes(report),
        _why(report),
        _story(report),
        _legend(report),
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def text(value: object) -> str:
    """A value as markdown prose, with all markup escaped."""
    return str(value).translate(_PROSE)


_PROSE = str.maketrans({"\n": " ", "&": "&amp;", "<": "&lt;", ">": "&gt;"} | {char: f"\\{char}" for char in "\\`*|[]~"})


def code(value: object) -> str:
    """A value in backticks, also inside a table."""
    safe = str(value).replace("\n", " ").replace("`", "'").replace("|", "¦")
    return f"`{safe}`" if safe else "–"


def _table(head: tuple[str, ...], rows: Rows) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _title(report: dict[str, Any]) -> list[str]:
    return [
        f"# Two private peers, one Kaspa handshake: {text(report['verdict'])} ({text(report['started'][:10])})",
        "",
        f"Run {code(report['run_id'])}: **{text(report['verdict'])}**, path **{text(report['path'])}**, "
        f"expected {text(report['expect_path'])}. {text(report['reason'])}.",
    ]


def _environment(report: dict[str, Any]) -> list[str]:
    rows = []
    for part, host in report["hosts"].items():
        address = (
            ", ".join(code(a) for a in dict.fromkeys([*filter(None, [host["public"]]), *host["addresses"]])) or "–"
        )
        system = f"{text(host['os'] or 'unknown system')}, kaspa-node {text(host['version'] or 'unknown')}"
        rows.append((part.capitalize(), text(host["name"]), address, _programs(host), system))
    lines = ["## Environment Snapshot", ""]
    lines += _table(("Role", "Host", "Addresses (public first)", "Service", "System"), rows)
    lines += ["", *(f"- {part.capitalize()} peer id: {code(h['peer_id'])}" for part, h in report["hosts"].items())]
    return [*lines, f"- Inventory {code(report['inventory'])}; network: {_NETWORKS[report['network_mode']]}."]


_NETWORKS = {
    "hosts": "hosts of their own",
    "namespaces": "processes of one machine behind NATs made of network namespaces",
    "loopback": "processes of one machine on loopback, **without any NAT**: this run says nothing of NATs",
}
_CHAPTERS = (
    ("Relay reservation + listener publication", ("node.", "reservation.", "relay.reservation.", "mapping.")),
    ("Client dial & DCUtR", ("dial.", "circuit.", "punch.", "connection.", "path.", "remote.")),
    ("Kaspa handshake", ("stream.", "peer.", "kaspa.", "session.", "backend.")),
    ("Relay trace", ("relay.circuit.",)),
)


def _programs(host: dict[str, Any]) -> str:
    return " and ".join(code(unit) for unit in (host["service"], host["native"]) if unit is not None)


def _timeline(report: dict[str, Any]) -> list[str]:
    lines = ["## Timeline & Log References"]
    for number, (chapter, prefixes) in enumerate(_CHAPTERS, start=1):
        entries = [entry for entry in report["milestones"] if entry["name"].startswith(prefixes)]
        lines += ["", f"{number}. **{chapter}**"]
        if number == 1:
            lines += ["", *(f"   - {text(line)}" for line in _reservations(report))]
        if not entries:
            lines += ["", "   No line of this run."]
            continue
        references: dict[str, list[str]] = {}
        for entry in entries:
            references.setdefault(entry["log"], []).append(str(entry["line"]))
        said = ", ".join(f"{code(log + ':' + ','.join(numbers))}" for log, numbers in references.items())
        quotes = [f"{e['offset']:+9.3f} s {e['host']:<8} {e['log']}:{e['line']}  {e['sentence']}" for e in entries]
        lines += ["", f"   {said}", "", *_fenced(quotes, "   ")]
    return lines


def _reservations(report: dict[str, Any]) -> list[str]:
    return [
        f"{entry['host']} on {entry['relay']}: {entry['state']}, seen at {entry['observed'] or 'no address'}"
        for entry in report["reservations"]
    ] or ["No reservation is known."]


def _fenced(quotes: list[str], indent: str) -> list[str]:
    fence = "`" * max(3, *(quote.count("`") + 1 for quote in quotes))
    return [indent + fence, *(indent + quote for quote in quotes), indent + fence]


def _proof(report: dict[str, Any]) -> list[str]:
    proof = report["proof"]
    rows = [
        (code(piece["piece"]), text(piece["found"]), text(piece["detail"]), text(piece["source"]))
        for piece in proof["pieces"]
    ]
    lines = ["## Proof", ""]
    if not rows:
        return [*lines, "There is no session, so there is no path to prove."]
    return lines + _table(("Piece", "Found", "What was seen", "By"), rows)


def _notes(report: dict[str, Any]) -> list[str]:
    punch, dial = report["punch"], report["dial"]
    figures = (
        ("Hole punch: attempt", punch["attempts"], ""),
        ("Relayed connection to direct connection", punch["seconds"], " s"),
        ("Relayed connection to first byte on the direct one", dial["first_direct_seconds"], " s"),
        ("The same in round trips between the peers", punch["round_trips"], ""),
        ("Kaspa stream opened to Ready", report["handshake"]["seconds"], " s"),
        ("Start of the relayed dial to Ready", dial["to_ready_seconds"], " s"),
        ("Bytes of the session, or of its exercise, on its path", report["proof"]["session_bytes"], ""),
        ("Bytes between the peers and the relay meanwhile", report["proof"]["relay_bytes"], ""),
    )
    lines = ["## Operational Notes", ""]
    lines += [f"- {name}: {text(value)}{unit}" for name, value, unit in figures if value is not None]
    skews = ", ".join(
        f"{text(host)} {'unknown' if skew is None else f'{skew:+.3f} s'}" for host, skew in report["clock_skew"].items()
    )
    lines.append(f"- Clocks ahead of the controller's: {skews}. Times in the timeline are set right by it.")
    for host in report["hosts"].values():
        lines += _unused(f"journal of {host['name']}", host["journal"])
        if host["native_log"] is not None:
            lines += _unused(f"log of {host['native']} on {host['name']}", host["native_log"])
    return lines


def _unused(what: str, log: dict[str, Any]) -> list[str]:
    lines = [f"- The {text(what)} is missing: {text(log['lost'])}."] if log["lost"] is not None else []
    return lines + [
        f"- {count} lines in the {text(what)} were not used: {text(why)}." for why, count in log["malformed"].items()
    ]


def _why(report: dict[str, Any]) -> list[str]:
    lines = ["## Verdict", "", f"**{text(report['verdict'])}**, path {text(report['path'])}: {text(report['reason'])}."]
    lines += ["", text(report["hint"])]
    if report["proof"]["missing"]:
        lines += ["", "Not proven: " + ", ".join(code(key) for key in report["proof"]["missing"]) + "."]
    failure = report["failure"]
    if failure is not None and failure["milestone"] is not None:
        lines += ["", f"The first missing milestone is {code(failure['milestone'])} on {text(failure['host'])}."]
        if failure["last_lines"]:
            quotes = [f"{entry['line']}: {entry['text']}" for entry in failure["last_lines"]]
            lines += ["Its last lines before that:", "", *_fenced(quotes, "")]
        else:
            lines += ["Its journal has no line of this run."]
    return lines


def _story(report: dict[str, Any]) -> list[str]:
    return [
        "## What happened",
        "",
        *(f"{number}. {text(line)}" for number, line in enumerate(report["story"], start=1)),
    ]


def _legend(report: dict[str, Any]) -> list[str]:
    lines = ["## Addresses", "", "This report and the logs beside it have placeholders instead of addresses.", ""]
    return [*lines, *(f"- {code(name)}: {text(meaning)}" for name, meaning in report["legend"].items())]
