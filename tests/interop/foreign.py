"""A peer or relay on another libp2p, as a process on a host of the lab: told what to do, and watched by its events."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import interop_peers
from tests.unit.p2p.parties import seed

PATIENCE = 40.0

Event = dict[str, Any]


class ForeignProgram:
    """The program of a language on a host.

    inside: what goes before the command line. number: of the party whose key it has. `at` of an event is the time here
    at which it was read.
    """

    def __init__(self, language: str, inside: Sequence[str], role: str, number: int, *options: str) -> None:
        self.language = language
        self._events: list[Event] = []
        self._errors: list[str] = []
        self._changed = threading.Condition()
        words = [*inside, *interop_peers.LANGUAGES[language].words, role, "--key", seed(number).hex(), *options]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        readers = (self._read_events, self._read_errors)
        self._readers = [threading.Thread(target=reader, daemon=True) for reader in readers]
        for thread in self._readers:
            thread.start()

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._events.append(json.loads(line) | {"at": time.monotonic()})
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    def tell(self, do: str, **more: Any) -> int:
        """Give a command; returns the mark from which its events follow."""
        mark = self.mark()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do} | more) + "\n")
        self._process.stdin.flush()
        return mark

    def mark(self) -> int:
        """How many events there are so far."""
        with self._changed:
            return len(self._events)

    def all(self, event: str, since: int = 0, **wanted: Any) -> list[Event]:
        """The events of that name and with those fields."""
        with self._changed:
            return self._matching(event, since, wanted)

    def _matching(self, event: str, since: int, wanted: dict[str, Any]) -> list[Event]:
        return [each for each in self._events[since:] if each.items() >= ({"event": event} | wanted).items()]

    def wait(self, event: str, since: int = 0, *, seconds: float = PATIENCE, **wanted: Any) -> Event:
        """The first such event, once there is one. A `failed` event before it raises AssertionError."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                if found := self._matching(event, since, wanted):
                    return found[0]
                if event != "failed" and (failed := self._matching("failed", since, {})):
                    raise AssertionError(f"{self.language}: {failed[0]['what']}: {failed[0]['reason']}")
                if self._process.poll() is not None or not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"no {event} {wanted} from {self.language} in {seconds:.0f} s:\n{self.said()}")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until an event makes `condition` true."""
        with self._changed:
            if not self._changed.wait_for(condition, PATIENCE):
                raise AssertionError(f"{self.language} did not get there in {PATIENCE:.0f} s:\n{self.said()}")

    def said(self) -> str:
        """Its last events and what it wrote to its standard error."""
        events = "\n".join(json.dumps(each) for each in self._events[-20:])
        return f"{events}\n{''.join(self._errors[-20:])}"

    def kill(self) -> float:
        """Kill it; returns when."""
        self._process.kill()
        at = time.monotonic()
        self._process.wait(PATIENCE)
        for thread in self._readers:
            thread.join(PATIENCE)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return at
