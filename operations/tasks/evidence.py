"""`fab evidence`: what a run of verify has found."""

from __future__ import annotations

from operations import runs
from operations.inventory import CHECKOUT
from operations.operation import Call, operation

EVIDENCE = CHECKOUT / "evidence"


@operation(
    words=("run",),
    help={
        "run": "a run's id, or the beginning of it (default: the newest)",
        "list": "all runs instead, the newest first",
        "logs": "the run's log lines as well, without addresses",
    },
)
def evidence(call: Call, run: str = "", list_: bool = False, logs: bool = False) -> None:
    """A run of verify: its verdict, its story, where its report is. Asks no host."""
    if list_:
        rows = runs.listed(EVIDENCE)
        call.report.add("runs", rows)
        keys = ("run", "verdict", "path", "expect_path", "reason")
        call.report.table(
            "runs of verify", ("run", "verdict", "path", "expected", "reason"), [_row(r, keys) for r in rows]
        )
        return
    found = runs.read(EVIDENCE, run or None)
    call.report.add("run", found.id)
    call.report.add("directory", str(found.directory))
    call.report.add("report", found.report)
    call.report.add("story", found.story)
    call.report.say(found.table)
    call.report.say("\n".join(f"{number:3}. {line}" for number, line in enumerate(found.story, start=1)))
    if logs:
        call.report.add("logs", found.logs)
        for host, lines in found.logs.items():
            call.report.say("\n".join(["", f"{host}:", *(f"  {line}" for line in lines)]))
        call.report.say("\n".join(["", *(f"{name}: {meaning}" for name, meaning in found.legend.items())]))


def _row(row: dict[str, object], keys: tuple[str, ...]) -> list[object]:
    return [row[key] for key in keys]
