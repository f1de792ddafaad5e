"""The locks of hosts while a task changes them. Deploy takes the same ones, so the two never collide."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import kaspa_holder
import kaspa_host_lock

from operations.fleet import on_all
from operations.inventory import Node
from operations.link import Link
from operations.problems import HostProblem, OperationProblem
from operations.report import Report
from operations.supervisor import PYTHON

PROGRAM = Path(kaspa_host_lock.__file__).read_text(encoding="utf-8")
RELEASE_SECONDS = 15.0


@dataclass(frozen=True)
class Held:
    """The locks of a task. run: its id, for the playbooks that it runs. off: hosts that could not be asked, and why."""

    run: str
    off: Mapping[str, OperationProblem] = field(default_factory=dict)


@contextmanager
def held(report: Report, nodes: Iterable[Node], *, timeout: float, seize: bool = False) -> Iterator[Held]:
    """Hold the locks of these hosts. With a dry run: none.

    timeout: seconds for each host. seize: take them over from other runs.
    Raises HostProblem, and holds none, if another run holds one of them.
    """
    nodes = list(nodes)
    ours = kaspa_holder.holder_for(kaspa_holder.run_id(os.getpid()), f"fab {report.task}", datetime.now(UTC))
    if report.dry_run:
        yield Held(ours["id"])
        return

    def take(node: Node, link: Link) -> tuple[bool, str]:
        def ask(instead_of: str) -> kaspa_host_lock.Holder:
            return _ask(link, node, "take", json.dumps(ours), instead_of)

        return kaspa_holder.claim(ours, ask, datetime.now(UTC), seize=seize)

    # After Ctrl-C it is not known which hosts gave their lock.
    mine = nodes
    try:
        answers = on_all(nodes, take, timeout=timeout)
        off = {name: answer for name, answer in answers.items() if isinstance(answer, OperationProblem)}
        claims = {name: answer for name, answer in answers.items() if not isinstance(answer, OperationProblem)}
        mine = [node for node in nodes if claims.get(node.name, (False, ""))[0]]
        _refuse(report, {name: told for name, (taken, told) in claims.items() if not taken})
        for name, (_, told) in claims.items():
            if told:
                report.say(f"{name}: {told}")
        yield Held(ours["id"], off)
    finally:
        done = on_all(mine, lambda node, link: _ask(link, node, "release", ours["id"]), timeout=RELEASE_SECONDS)
        report.problems_of(done)


def _refuse(report: Report, locked: Mapping[str, str]) -> None:
    """Raise the last of these problems, and report the others."""
    problems = [
        HostProblem(
            f"locked by {told}; nothing was changed; wait until that run has ended; if it is dead, add --break-lock",
            name,
        )
        for name, told in locked.items()
    ]
    for problem in problems[:-1]:
        report.problem(problem)
    if problems:
        raise problems[-1]


def _ask(link: Link, node: Node, *words: str) -> kaspa_host_lock.Holder:
    what, *more = words
    ran = link.run([PYTHON, "-I", "-B", "-c", PROGRAM, what, node.paths.lock, *more])
    if not ran.ok:
        raise HostProblem(f"its lock can't be used: {ran.complaint}", node.name)
    holder: kaspa_host_lock.Holder = json.loads(ran.out)["holder"]
    return holder
