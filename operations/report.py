"""The output of a task: text for people, or one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from kaspa_node.cli import render
from kaspa_node.errors import EXIT_FAILED, EXIT_OK
from operations.commands import with_inventory
from operations.problems import OperationProblem


def harmless(text: str) -> str:
    """Foreign text for a terminal: characters that can't be printed become escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return "    "
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Report:
    """Collects the results and changes of a task; shows at once what users should see at once.

    With as_json nothing is shown before `finish`, and then {"task", "ok", "hosts", "problems", "changed"} on one line.
    sources: of the inventory, as they were typed; none if they were not.
    """

    def __init__(
        self,
        task: str,
        *,
        as_json: bool = False,
        dry_run: bool = False,
        sources: Sequence[str] = (),
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.task = task
        self.as_json = as_json
        self.dry_run = dry_run
        self.sources = sources
        self.hosts: dict[str, Any] = {}
        self.extra: dict[str, Any] = {}
        self._problems: list[OperationProblem] = []
        self._changed: list[tuple[str | None, str]] = []
        self._failed = False
        self._out = out or sys.stdout
        self._err = err or sys.stderr

    def host(self, name: str, data: Any) -> None:
        """What is known about a host; JSON values, shown only with --json."""
        self.hosts[name] = data

    def add(self, key: str, data: Any) -> None:
        """A further member of the JSON document."""
        self.extra[key] = data

    def say(self, text: str = "") -> None:
        """Lines for people; not shown with --json."""
        if not self.as_json:
            print("\n".join(harmless(line) for line in text.split("\n")), file=self._out, flush=True)

    def line(self, text: str) -> None:
        """A separate line of JSON, for tasks that continue; the document follows at the end."""
        print(text, file=self._out, flush=True)

    def table(self, title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A title and aligned columns, for people. None shows as a dash."""
        self.say(render.table(title, head, [tuple(render.cell(value) for value in row) for row in rows]))

    def problem(self, problem: OperationProblem) -> None:
        """One line, to standard error; the exit code follows."""
        self._problems.append(problem)
        if not self.as_json:
            print(harmless(self.advice(str(problem))), file=self._err, flush=True)

    def advice(self, text: str) -> str:
        """A text of ours whose commands name the inventory of this call."""
        return with_inventory(text, self.sources)

    def problems_of(self, outcome: Mapping[str, Any]) -> None:
        """Report every problem that `fleet.on_all` came back with."""
        for value in outcome.values():
            if isinstance(value, OperationProblem):
                self.problem(value)

    def changed(self, what: str, host: str | None = None) -> None:
        """Something that was changed, or would be changed with --dry-run."""
        self._changed.append((host, what))
        would = "dry run, not done: " if self.dry_run else ""
        self.say(f"{would}{what}" if host is None else f"{host}: {would}{what}")

    def failed(self) -> None:
        """The task did not succeed, although hosts and options are right: exit code 1."""
        self._failed = True

    @property
    def exit_code(self) -> int:
        """0, or the highest of the problems' exit codes."""
        codes = [problem.exit_code for problem in self._problems]
        return max([*codes, EXIT_FAILED if self._failed else EXIT_OK])

    def finish(self) -> int:
        """Show the document if it is wanted; returns the exit code."""
        if self.as_json:
            document = {
                "task": self.task,
                "ok": self.exit_code == EXIT_OK,
                "hosts": self.hosts,
                "problems": [
                    {"host": problem.host, "problem": self.advice(problem.text)} for problem in self._problems
                ],
                "changed": [{"host": host, "change": what} for host, what in self._changed],
                **({"dry_run": True} if self.dry_run else {}),
                **self.extra,
            }
            print(json.dumps(document), file=self._out, flush=True)
        return self.exit_code
