"""Makes happen what a plan says, and keeps the history."""

from __future__ import annotations

import time
from collections.abc import Callable

from kaspa_node.errors import RequestFailed
from lab.waiting import until
from tests.soak import measure
from tests.soak.plan import Happening
from tests.soak.world import BASE, World

# Somebody asks for a fresh session, and may hang up before there is one.
FRESH_SECONDS = 4.0


class ProgramEnded(Exception):
    """A program has ended by itself."""


class Storm:
    """history: a line for each thing that happened. busiest: the most of a processor that each program used between
    two happenings, those apart in which it started.
    """

    def __init__(self, world: World) -> None:
        self.history: list[str] = []
        self.busiest: dict[str, float] = {}
        self._world = world
        self._undo: list[tuple[int, str, Callable[[], None]]] = []

    def run(self, happenings: list[Happening]) -> None:
        """All of it, then everything is undone. Raises ProgramEnded, ControlError, LabError."""
        begun = time.monotonic()
        for number, happening in enumerate(happenings):
            self._pass_until(begun + happening.at)
            self._undo_until(number)
            self._tell(f"{happening}: {self._apply(happening, number)}")
            self._check()
        self._undo_until(None)
        self._world.calm()
        self._tell("everything is undone")

    def _tell(self, line: str) -> None:
        self.history.append(line)
        print(line, flush=True)

    def _check(self) -> None:
        ended = self._world.ended()
        if ended:
            raise ProgramEnded(", ".join(f"{name} has ended with status {code}" for name, code in ended.items()))

    def _pass_until(self, at: float) -> None:
        """Nothing happens for a while but what the programs do."""
        begun, before = time.monotonic(), self._used()
        until(lambda: bool(self._world.ended()), timeout=max(0.0, at - begun), pause=0.2)
        seconds = time.monotonic() - begun
        if seconds < 1.0:
            return
        for name, (pid, used) in self._used().items():
            if before.get(name, (0, 0.0))[0] == pid:
                share = (used - before[name][1]) / seconds
                self.busiest[name] = max(share, self.busiest.get(name, 0.0))
        self._check()

    def _used(self) -> dict[str, tuple[int, float]]:
        self._check()
        return {name: (pid, measure.cpu_seconds(pid)) for name, pid in self._world.running.items()}

    def _undo_until(self, number: int | None) -> None:
        due = [entry for entry in self._undo if number is None or entry[0] <= number]
        self._undo = [entry for entry in self._undo if entry not in due]
        for _, what, undo in due:
            undo()
            self._tell(f"         {what}")

    def _later(self, number: int, happening: Happening, what: str, undo: Callable[[], None]) -> None:
        self._undo.append((number + happening.lasts, what, undo))

    def _apply(self, happening: Happening, number: int) -> str:
        world, who, more = self._world, happening.who, happening.more
        if world.gone(who) and happening.what in ("restart", "kill", "gone"):
            return "it is gone already"
        match happening.what:
            case "restart":
                world.stop(who)
                world.start(who)
            case "kill":
                world.kill(who)
                world.start(who)
            case "gone":
                world.kill(who)
                self._later(number, happening, f"{who} is back", lambda: world.start(who))
            case "flush":
                world.flush(who)
            case "mode":
                world.nat(who, more)
            case "cut":
                world.link(who, "down")
                self._later(number, happening, f"the link of {who} is back", lambda: world.link(who, "up"))
            case "policy":
                world.reload(who, policy=more)
            case "relays":
                world.reload(who, relays=tuple(name for name in more.split(",") if name != "none"))
                back = BASE[who].relays
                self._later(number, happening, f"{who} has its relays", lambda: world.reload(who, relays=back))
            case "forget":
                left = tuple(remote for remote in world.settings[who].remotes if remote != more)
                world.reload(who, remotes=left)
                remotes = BASE[who].remotes
                self._later(number, happening, f"{who} has its remotes", lambda: world.reload(who, remotes=remotes))
            case "fresh":
                return self._fresh(who, more)
            case other:
                raise ValueError(f"nobody knows how to {other}")
        return "done"

    def _fresh(self, who: str, remote: str) -> str:
        try:
            answer = self._world.ask(who, {"do": "session", "remote": remote, "timeout": FRESH_SECONDS})
        except RequestFailed as error:
            return str(error)
        return f"{answer['session']['path']}"
