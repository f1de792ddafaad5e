"""The common part of all tasks: options, one line for each error, exit codes, Ctrl-C."""

from __future__ import annotations

import inspect
import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Concatenate, ParamSpec

from fabric import Connection, Task
from invoke.exceptions import Exit
from invoke.parser.argument import Argument

from kaspa_node.errors import EXIT_FAILED, EXIT_INTERRUPTED
from operations import inventory_loader
from operations.inventory import Inventory
from operations.problems import OperationProblem, UsageProblem
from operations.report import Report

P = ParamSpec("P")

SHORT = {"inventory": "i", "host": "H", "timeout": "t", "follow": "f", "lines": "n"}
LONGEST = 86400.0
_INVENTORY = "PATH of an inventory of Ansible's; may be repeated (default: ansible.cfg's or ANSIBLE_INVENTORY's)"
_JSON = "print one JSON document"
_BREAK_LOCK = "take over the lock of another run; only if that run is dead"
_DRY_RUN = "say what would change, and change nothing"


@dataclass
class Call:
    """One call of a task. report: for its output.

    timeout: seconds. limit: the same if the user gave it, otherwise None, for tasks without an end.
    sources: of the inventory, as they were typed.
    break_lock: hosts may be changed although another run holds their locks.
    """

    report: Report
    timeout: float
    limit: float | None
    dry_run: bool
    sources: tuple[str, ...]
    break_lock: bool = False

    @cached_property
    def inventory(self) -> Inventory:
        """The inventory, read at first use. Raises UsageProblem."""
        return inventory_loader.load(*self.sources)


class Word(Argument):
    """A positional argument that may be left out: its value is "" then."""


class Operation(Task):  # type: ignore[misc]  # fabric has no types
    """A task whose options have the short names of SHORT and no others, and whose words may be optional."""

    words: tuple[str, ...] = ()

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """See invoke.Task."""
        arguments: list[Argument] = super().get_arguments(ignore_unknown_help)
        for index, argument in enumerate(arguments):
            if short := SHORT.get(argument.names[0]):
                argument.names = (*argument.names, short)
            if argument.name in self.words:
                arguments[index] = Word(names=argument.names, help=argument.help, positional=True)
        return arguments


def operation(
    *,
    timeout: float = 30.0,
    changes: bool = False,
    locks: bool = False,
    words: tuple[str, ...] = (),
    help: Mapping[str, str] | None = None,
) -> Callable[[Callable[Concatenate[Call, P], None]], Operation]:
    """Make a Fabric task of a function `(call, own options…)`.

    The task gets the options --inventory, --json, --timeout, and --dry-run where it `changes` something,
    --break-lock where it `locks` hosts. Own options
    are keywords with defaults: None for texts, False for flags; parameters without a default must be typed, in order;
    those in `words` are optional, and "" if missing. Numbers come as texts: see `number`.

    The function reports to `call.report`. A problem that it raises is reported too.
    """

    def decorate(body: Callable[Concatenate[Call, P], None]) -> Operation:
        name = body.__name__.replace("_", "-")
        common: dict[str, Any] = {"inventory": None, "json": False, "timeout": None}
        if changes:
            common["dry_run"] = False
        if locks:
            common["break_lock"] = False

        def run(context: object, *given: Any, **options: Any) -> None:
            dry_run = options.pop("dry_run", False)
            report = Report(name, as_json=options.pop("json"), dry_run=dry_run, sources=options["inventory"])
            raise Exit(code=_carry_out(context, body, report, options, given, timeout))

        own = list(inspect.signature(body).parameters.values())[1:]
        kinds = [
            inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD),
            *(each.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for each in own),
            *(
                inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value)
                for key, value in common.items()
            ),
        ]
        run.__signature__ = inspect.Signature(kinds)  # type: ignore[attr-defined]
        run.__name__, run.__doc__ = body.__name__, body.__doc__
        helps = {"inventory": _INVENTORY, "json": _JSON, **(help or {})}
        helps["timeout"] = f"seconds for each host (default: {timeout:g})"
        if changes:
            helps["dry_run"] = _DRY_RUN
        if locks:
            helps["break_lock"] = _BREAK_LOCK
        required = [each.name for each in own if each.default is inspect.Parameter.empty]
        positional = [*required, *words]
        task = Operation(run, auto_shortflags=False, positional=positional, iterable=["inventory"], help=helps)
        task.words = words
        return task

    return decorate


def _carry_out(
    context: object,
    body: Callable[..., None],
    report: Report,
    options: dict[str, Any],
    given: tuple[Any, ...],
    timeout: float,
) -> int:
    sources, limit = tuple(options.pop("inventory") or ()), options.pop("timeout")
    break_lock = options.pop("break_lock", False)
    try:
        if isinstance(context, Connection):
            raise UsageProblem("hosts come from the inventory: use --host NAME after the task, not -H before it")
        typed = None if limit is None else number(limit, "--timeout", least=0.1, most=LONGEST)
        body(Call(report, typed or timeout, typed, report.dry_run, sources, break_lock), *given, **options)
    except OperationProblem as problem:
        report.problem(problem)
    except KeyboardInterrupt:
        if not report.as_json:
            print("interrupted; what ran on the hosts was ended", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # `| head` has read enough. Python flushes standard output once more at exit, which must not fail, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    return report.finish()


def number(text: str, name: str, *, least: float, most: float, whole: bool = False) -> float:
    """The number that an option was given. Raises UsageProblem."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most or (whole and value != int(value)):
        kind = "whole number" if whole else "number"
        raise UsageProblem(f"{name} {text!r} is not a {kind} from {least:g} to {most:g}")
    return value
