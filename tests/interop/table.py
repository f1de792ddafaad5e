"""What the runs of test_cells.py and test_limits.py gave, and the tables of docs/interop.md that are made of it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path

from tests.interop.triples import Cell

BEGIN, END = "<!-- made by `make test-interop`: {} -->", "<!-- end -->"
FAILED = "**failed**"
HEADER = (
    "| relay | server | client | relayed echo | direct, first attempt | relayed until direct, median (slowest) "
    "| {} MiB there and back, direct | killed server noticed | killed client noticed |"
)


@dataclass(slots=True)
class Row:
    """What a cell did. punches: seconds from relayed to direct at the first attempt. None: it did not come to that."""

    relayed: float | None = None
    runs: int = 0
    punches: list[float] = field(default_factory=list)
    bulk: float | None = None
    server_killed: float | None = None
    client_killed: float | None = None

    def cells(self) -> list[str]:
        """The row's figures as texts."""
        return [
            FAILED if self.relayed is None else "yes",
            f"{len(self.punches)} of {self.runs}" if self.runs else FAILED,
            f"{statistics.median(self.punches):.2f} s ({max(self.punches):.2f} s)" if self.punches else FAILED,
            _seconds(self.bulk),
            _seconds(self.server_killed),
            _seconds(self.client_killed),
        ]


def _seconds(value: float | None) -> str:
    return FAILED if value is None else f"{value:.2f} s"


ROWS: dict[Cell, Row] = {}
LIMITS: dict[Cell, list[str]] = {}


def cells(mib: int) -> str:
    """The table of cells that ran, in the order in which they did."""
    lines = [HEADER.format(mib), "|---" * 9 + "|"]
    lines += ["| " + " | ".join([*cell, *row.cells()]) + " |" for cell, row in ROWS.items()]
    return "\n".join(lines)


def limits() -> str:
    """The table of limited relays that ran."""
    lines = ["| relay | server | client | limit in bytes | limit in seconds | direct connection |", "|---" * 6 + "|"]
    lines += ["| " + " | ".join([*cell, *texts]) + " |" for cell, texts in LIMITS.items()]
    return "\n".join(lines)


def write(page: Path, name: str, table: str) -> None:
    """Put a table in the place that the page has for it."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN.format(name))
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has no place for the table {name!r}: a line {BEGIN.format(name)} and one {END}")
    page.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")
