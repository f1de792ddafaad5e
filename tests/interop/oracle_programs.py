"""The seed's own programs on the hosts of a lab: started, watched by their logs; and what the kernels know.

Their address [::1]:50051 is fixed; in the lab's network namespaces each host has its own.
"""

from __future__ import annotations

import io
import subprocess
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import oracle
from kaspa_node.evidence import sockets
from kaspa_node.evidence.journal_lines import Journal, Line, LineError, read_journal
from kaspa_node.evidence.kaspad_lines import parse_kaspad_line
from kaspa_node.milestones import Milestone
from tests.nat.nodes import Nodes

PATIENCE = 40.0
ADDRESS = "[::1]:50051"


class OracleProgram:
    """One of the two, on a host."""

    def __init__(self, world: Nodes, host: str, name: str) -> None:
        self.name = name
        self.lines: list[Line] = []
        self._changed = threading.Condition()
        self._ended = False
        words = [*world.inside(host), str(oracle.program(name))]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for number, raw in enumerate(self._process.stdout, 1):
            try:
                line = parse_kaspad_line(number, raw.removesuffix(b"\n"))
            except LineError:
                continue
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def seen(self, milestone: Milestone) -> Line:
        """The first line that says so, once it is there."""
        return self._first(lambda line: line.milestone is milestone, str(milestone))

    def said(self, start: str) -> Line:
        """The first line with a sentence that begins so, once it is there."""
        return self._first(lambda line: line.sentence.startswith(start), start)

    def _first(self, wanted: Callable[[Line], bool], what: str) -> Line:
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while not (found := [line for line in self.lines if wanted(line)]):
                if self._ended or not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    log = "\n".join(line.text for line in self.lines)
                    raise AssertionError(f"{self.name} has not said {what}; its log:\n{log}")
            return found[0]

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)


class Wire(NamedTuple):
    """What the kernels and the relay know of the pair: its TCP connections with byte counts, and the relay's bytes."""

    client: list[sockets.Socket]
    server: list[sockets.Socket]
    relay: tuple[int, int]


def wire(world: Nodes) -> Wire:
    """As it is now. Connections to the relay are left out."""
    relayed = [
        (row["bytes_forward"], row["bytes_backward"])
        for row in world.status("relay")["pairs"]
        if (row["src"], row["dst"]) == (world.ids["client"], world.ids["server"])
    ]
    return Wire(_between(world, "client"), _between(world, "server"), relayed[0] if relayed else (0, 0))


def _between(world: Nodes, host: str) -> list[sockets.Socket]:
    done = subprocess.run([*world.inside(host), *sockets.COMMAND], capture_output=True, text=True, check=True)
    public = ("203.0.113.20:", "203.0.113.30:")
    return [
        found
        for found in sockets.parse(done.stdout)
        if found.state == sockets.ESTABLISHED and found.remote.startswith(public)
    ]


def journal(world: Nodes, name: str) -> Journal:
    """The log of one of ours, so far."""
    return read_journal(io.BytesIO(world.log(name).encode()))
