"""One scene: a real node as the victim, an honest peer that pings it, and an attacker; and what is measured of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kaspa_node import milestones
from kaspa_node.milestones import PEER
from tests.hostile.attacker import Order
from tests.integration.programs import PATIENCE, ROOT, Program, programs
from tests.unit.p2p.parties import peer_id

VICTIM, HONEST, ALLOWED, STRANGER = 1, 2, 3, 66
"""Parties. The victim serves the honest peer and the one that is allowed."""
MOST_CORES = 0.25
"""Of one core, beyond the plain cost of the bytes."""
MOST_PING = 50.0
"""Milliseconds, for 95 of 100 pings of the honest peer."""
SAVED = 0.75
"""Seconds of work that a budget's savings may buy at once, whatever comes later: a short attack has them, too."""
GIVEN_BACK_WITHIN = 10.0
"""Seconds after an attack within which the memory is to be back."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """Of a process, so far."""

    cpu_seconds: float
    memory_mib: float

    @classmethod
    def of(cls, pid: int) -> Usage:
        """As the kernel has it now."""
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
        resident = int(status.partition("VmRSS:")[2].split()[0])
        return cls((int(stat[11]) + int(stat[12])) / _TICKS, resident / 1024)


@dataclass(frozen=True)
class Outcome:
    """What an attack did.

    cores: of the victim, on average. ping: of the honest peer, in milliseconds. idle, peak, after: memory in MiB before
    the attack, at most, and at the end of the time in which it is to be given back. lines: in the victim's log.
    """

    attack: str
    seconds: float
    cores: float
    ping: dict[str, float]
    idle: float
    peak: float
    after: float
    lines: int
    report: dict[str, int]

    @property
    def memory_limit(self) -> float:
        """What the memory may come to, in MiB."""
        return 1.5 * self.idle + 64

    @property
    def memory_given_back(self) -> float:
        """What it may come to after a while, in MiB: what the victim had, and a little more."""
        return 1.1 * self.idle + 8

    def faults(self, plain: Outcome) -> list[str]:
        """Which goals of docs/security.md were missed. plain: the same for plain bytes."""
        found = []
        if self.cores - plain.cores > MOST_CORES + SAVED / self.seconds:
            found.append(f"{self.cores - plain.cores:.2f} of a core")
        # On a busy machine the pings are late without any attack, too.
        if not self.ping["count"] or self.ping["p95"] > max(MOST_PING, 5 * plain.ping["p95"]):
            found.append(f"pings of {self.ping['p95']:.0f} ms")
        if self.peak > self.memory_limit or self.after > self.memory_given_back:
            found.append(f"{self.peak:.0f} MiB, and {self.after:.0f} later")
        return found


class Scene:
    """A victim and an honest peer that is connected to it."""

    def __init__(self, victim: Program) -> None:
        self.victim = victim
        at = victim.seen(milestones.NODE_LISTENING)["addr"].split("/")
        self.target = (at[2], int(at[4]))
        self._honest = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.honest", *map(str, self.target), victim.peer_id, str(HONEST)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        while not self.pings()["count"]:
            assert self._honest.poll() is None

    def usage(self) -> Usage:
        """Of the victim."""
        return Usage.of(self.victim.process.pid)

    def pings(self) -> dict[str, float]:
        """Those of the honest peer since this was last asked."""
        assert self._honest.stdin is not None
        assert self._honest.stdout is not None
        self._honest.stdin.write("\n")
        self._honest.stdin.flush()
        answer: dict[str, float] = json.loads(self._honest.stdout.readline())
        return answer

    def attack(self, name: str, **order: Any) -> Outcome:
        """Attack, and measure."""
        orders = Order(name, self.target, self.victim.peer_id, **order)
        before, mark = self.usage(), self.victim.mark()
        self.pings()
        start = time.monotonic()
        attacker = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.attacker", json.dumps(asdict(orders))],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        peak = self._peak_until(attacker, start + orders.seconds + PATIENCE)
        took = time.monotonic() - start
        spent = self.usage().cpu_seconds - before.cpu_seconds
        ping = self.pings()
        assert attacker.stdout is not None
        report = json.loads(attacker.stdout.read())
        return Outcome(
            attack=name,
            seconds=took,
            cores=spent / orders.seconds,
            ping=ping,
            idle=before.memory_mib,
            peak=peak,
            after=self._memory_later(1.1 * before.memory_mib),
            lines=len(self.victim.lines) - mark,
            report=report,
        )

    def _peak_until(self, attacker: subprocess.Popen[str], deadline: float) -> float:
        peak = 0.0
        while True:
            peak = max(peak, self.usage().memory_mib)
            try:
                attacker.wait(0.05)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < deadline
                continue
            return max(peak, self.usage().memory_mib)

    def _memory_later(self, wanted: float) -> float:
        """The memory once it is as low as wanted, or when its time is over."""
        deadline = time.monotonic() + GIVEN_BACK_WITHIN
        while (memory := self.usage().memory_mib) > wanted and time.monotonic() < deadline:
            try:
                self._honest.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        return memory

    def end(self) -> None:
        """Let the honest peer go."""
        assert self._honest.stdin is not None
        assert self._honest.stdout is not None
        self._honest.stdin.close()
        self._honest.wait(PATIENCE)
        self._honest.stdout.close()


@contextmanager
def scene(role: str = PEER) -> Iterator[Scene]:
    """A running victim with its honest peer."""
    with programs() as started:
        file: dict[str, object] = {"allow": [peer_id(HONEST), peer_id(ALLOWED)]}
        if role == PEER:
            file["network"] = "simnet"
        victim = started.configured("victim", role, VICTIM, {"log_level": "info"}, file)
        found = Scene(victim)
        try:
            yield found
        finally:
            found.end()
