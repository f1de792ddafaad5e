"""A soak: something happens every five seconds, and afterwards everything is as it was before.

`make test-soak` runs it for half an hour; `make test` for a moment, another one at each commit. SOAK_SECONDS is how
long, SOAK_SEED repeats one.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable

import pytest

from kaspa_node.errors import ControlError, RequestFailed
from lab.errors import LabError
from lab.local import lab
from lab.paths import CHECKOUT
from lab.waiting import until
from tests.soak import measure
from tests.soak.measure import Snapshot
from tests.soak.plan import PEERS, plan
from tests.soak.storm import ProgramEnded, Storm
from tests.soak.world import World, world

SHORT_SECONDS = 45.0
SECONDS = float(os.environ.get("SOAK_SECONDS", SHORT_SECONDS))
LONG = SECONDS >= 600
# Until every session is back. A connection whose other end has gone without a word ends after 30 s; then pauses between
# attempts last up to 72 s, and an attempt at three hole punches takes 15 s.
BACK_SECONDS = 150.0
# Until it is direct again by itself: a relayed session tries every five minutes in the end. A short soak asks before.
DIRECT_SECONDS = min(400.0, SECONDS)
# Until connections that are over are gone.
QUIET_SECONDS = 60.0
IDLE_SECONDS = 20.0 if LONG else 10.0
IDLE_SHARE = 0.05
LOG_LINES = 25
# Keeps the logs of a soak that failed.
KEPT = CHECKOUT / ".lab/soak"


def seed() -> int:
    """SOAK_SEED; else of the commit for a short soak, and any other for a long one."""
    given = os.environ.get("SOAK_SEED")
    if given:
        return int(given)
    done = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True)
    return random.randrange(10**6) if LONG or done.returncode else int(done.stdout, 16)


class Soak:
    """One soak, and what is told of it if it fails."""

    def __init__(self, running: World, number: int) -> None:
        self._world = running
        self._seed = number
        self._storm = Storm(running)
        self._last: Snapshot | None = None

    def run(self) -> None:
        """Raises AssertionError with all that is known."""
        try:
            self._run()
        except (AssertionError, ProgramEnded, ControlError, RequestFailed, LabError) as error:
            raise AssertionError(self._report(f"{type(error).__name__}: {error}")) from error

    def _run(self) -> None:
        self._until(_not_direct, BACK_SECONDS)
        before = self._until(lambda found: measure.differences(found, found) + _circuits(found), QUIET_SECONDS)
        print("before:", *before.lines(), sep="\n  ", flush=True)
        self._storm.run(plan(self._seed, SECONDS))
        begun = time.monotonic()
        self._until(lambda found: found.wrong, BACK_SECONDS)
        back = time.monotonic() - begun
        asked = self._make_direct()
        direct = time.monotonic() - begun
        after = self._until(lambda found: measure.differences(before, found), QUIET_SECONDS)
        print("after:", *after.lines(), sep="\n  ", flush=True)
        self._check_idle(after)
        problems = [*measure.grown(before, after), *self._loud()]
        assert not problems, "; ".join(problems)
        print(
            f"seed {self._seed}: {len(self._storm.history)} lines of history, every session back after {back:.0f} s, "
            f"direct after {direct:.0f} s (asked for: {asked or 'none'}); busiest while things happened: "
            + ", ".join(f"{name} {share:.0%}" for name, share in self._storm.busiest.items()),
            flush=True,
        )

    def _until(self, problems: Callable[[Snapshot], list[str]], seconds: float) -> Snapshot:
        """The first snapshot without problems."""
        found, left = self._wait(problems, seconds)
        assert not left, f"after {seconds:.0f} s: " + "; ".join(left)
        return found

    def _wait(self, problems: Callable[[Snapshot], list[str]], seconds: float) -> tuple[Snapshot, list[str]]:
        """The same; if the time is over, the last one, and its problems."""
        taken: list[tuple[Snapshot, list[str]]] = []

        def well() -> bool:
            self._last = found = measure.take(self._world)
            taken[:] = [(found, problems(found))]
            return not taken[0][1]

        until(well, timeout=seconds, pause=0.5)
        return taken[0]

    def _make_direct(self) -> list[str]:
        """Wait until every session is direct; ask for a fresh one where the time is over. Returns for whom."""
        found, _ = self._wait(_not_direct, DIRECT_SECONDS)
        asked = []
        for who, remote in found.relayed:
            answer = self._world.ask(who, {"do": "session", "remote": remote, "timeout": 60})["session"]
            assert answer["path"] == "direct", f"{who} has no direct path to {remote}: {answer}"
            asked.append(f"{who} to {remote}")
        return asked

    def _check_idle(self, quiet: Snapshot) -> None:
        """No program does much while nothing happens."""
        before = {name: measure.cpu_seconds(use.pid) for name, use in quiet.uses.items()}
        ended = until(lambda: bool(self._world.ended()), timeout=IDLE_SECONDS, pause=0.2)
        assert not ended, f"a program has ended while nothing happened: {self._world.ended()}"
        shares = {n: (measure.cpu_seconds(use.pid) - before[n]) / IDLE_SECONDS for n, use in quiet.uses.items()}
        print("idle:", ", ".join(f"{name} {share:.1%}" for name, share in shares.items()), flush=True)
        busy = [f"{name} uses {share:.1%} of a processor" for name, share in shares.items() if share >= IDLE_SHARE]
        assert not busy, "; ".join(busy)

    def _loud(self) -> list[str]:
        """Lines that no log may have, whatever happens around the programs."""
        lines = [(name, line) for name in self._world.ids for line in self._world.log(name).splitlines()]
        return [f"the log of {name} has: {line}" for name, line in lines if "[ERROR]" in line or "Traceback" in line]

    def _report(self, problem: str) -> str:
        kept = KEPT / str(self._seed)
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        parts = [problem, f"again: SOAK_SEED={self._seed} SOAK_SECONDS={SECONDS:g} make test-soak; logs: {kept}"]
        parts += ["what happened:", *self._storm.history]
        if self._last is not None:
            parts += ["last:", *self._last.lines()]
        for name in self._world.ids:
            log = self._world.log(name)
            (kept / f"{name}.log").write_text(log)
            parts += [f"--- {name}: {self._status(name)}", *log.splitlines()[-LOG_LINES:]]
        text = "\n".join(parts)
        (kept / "report.txt").write_text(text)
        return text

    def _status(self, name: str) -> str:
        try:
            return json.dumps(self._world.status(name))
        except (ControlError, RequestFailed) as error:
            return str(error)


def _not_direct(found: Snapshot) -> list[str]:
    return [*found.wrong, *(f"the session of {' and '.join(pair)} is relayed" for pair in found.relayed)]


def _circuits(found: Snapshot) -> list[str]:
    return [f"{relay} has {count} circuits" for relay, count in found.circuits.items() if count]


@pytest.mark.timeout(SECONDS + BACK_SECONDS * 2 + DIRECT_SECONDS + QUIET_SECONDS * 2 + 60 * len(PEERS))
def test_everything_returns_to_where_it_was() -> None:
    reason = lab.obstacle()
    if reason is not None:
        pytest.skip(f"no NATs without root here: {reason}")
    number = seed()
    print(f"SOAK_SEED={number} SOAK_SECONDS={SECONDS:g}", flush=True)
    with world() as running:
        Soak(running, number).run()
