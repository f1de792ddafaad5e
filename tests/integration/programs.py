"""kaspa-node programs as processes on loopback: started, watched by their log, asked over their control sockets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kaspa_node import identity as identity_module
from kaspa_node import milestones
from kaspa_node.control import client
from kaspa_node.milestones import Milestone
from tests.unit.p2p.parties import peer_id, seed

PATIENCE = 30
"""Seconds after which a test that waits for a line has failed."""

ROOT = Path(__file__).resolve().parents[2]
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')

Fields = dict[str, str]


class Program:
    """One `kaspa-node`.

    number: of the party whose identity it has. settings: as KASPA_NODE_* variables; what the file has comes after them.
    """

    def __init__(self, directory: Path, name: str, role: str, number: int, **settings: str) -> None:
        self.name = name
        self.peer_id = peer_id(number)
        self.home = directory / name
        self.control = self.home / "c.sock"
        self.file = self.home / "node.toml"
        self.lines: list[str] = []
        self._role = role
        self._changed = threading.Condition()
        self._ended = False
        own = {
            "listen": "/ip4/127.0.0.1/tcp/0",
            "state_dir": str(self.home),
            "control": str(self.control),
            "log_level": "debug",
        }
        self._environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        self._environment |= {f"KASPA_NODE_{key.upper()}": value for key, value in (own | settings).items()}
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.configure()
        key = self.home / identity_module.KEY_FILE
        key.write_bytes(identity_module.encode(seed(number)))
        key.chmod(0o600)

    def configure(self, **settings: object) -> Program:
        """Write the configuration file anew; a value is a text, a number or a list of texts."""
        self.file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
        return self

    def start(self) -> Program:
        """Start the process, for the first time or again, and watch its log."""
        self._ended = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kaspa_node", self._role, "--config", str(self.file)],
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def mark(self) -> int:
        """The present end of the log, for `seen(…, since=…)`."""
        return len(self.lines)

    def all(self, milestone: Milestone, since: int = 0, **wanted: str) -> list[Fields]:
        """The fields of every line of that kind with those values."""
        found = []
        for line in self.lines[since:]:
            _, mark, rest = line.partition(" milestone=")
            name, _, pairs = rest.partition(" ")
            if mark and name == milestone.name:
                fields = {key: value.strip('"') for key, value in _FIELD.findall(pairs)}
                if fields.items() >= wanted.items():
                    found.append(fields)
        return found

    def seen(self, milestone: Milestone, since: int = 0, **wanted: str) -> Fields:
        """The fields of the first such line, once it is there."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while not (found := self.all(milestone, since, **wanted)):
                if self._ended or not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    log = "\n".join(self.lines)
                    raise AssertionError(f"{self.name} has not told {milestone.name} {wanted}; its log:\n{log}")
            return found[0]

    def address(self) -> str:
        """The multiaddr it listens on, with its peer id."""
        return f"{self.seen(milestones.NODE_LISTENING)['addr']}/p2p/{self.peer_id}"

    def ask(self, what: str, **request: object) -> dict[str, Any]:
        """The answer to a request over the control socket. Raises RequestFailed with the program's words."""
        answer = client.request(self.control, {"do": what, **request}, PATIENCE)
        found: dict[str, Any] = answer[what]
        return found

    def status(self) -> dict[str, Any]:
        """What the program tells of itself."""
        return self.ask("status")

    def stop(self) -> float:
        """SIGTERM; the seconds that the program took to end."""
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(PATIENCE)
        seconds = time.monotonic() - started
        self._reader.join(PATIENCE)
        return seconds

    def kill(self) -> None:
        """End it, whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()


class Programs:
    """Programs in one directory; all are gone at the end."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._all: list[Program] = []

    def start(self, name: str, role: str, number: int, **settings: str) -> Program:
        """A running program."""
        return self.configured(name, role, number, settings, {})

    def configured(
        self, name: str, role: str, number: int, settings: dict[str, str], file: dict[str, object]
    ) -> Program:
        """A running program with some of its settings in a file."""
        program = Program(self._directory, name, role, number, **settings)
        self._all.append(program)
        return program.configure(**file).start()

    def end(self) -> None:
        """Kill what still runs."""
        for program in self._all:
            program.kill()


@contextmanager
def programs() -> Iterator[Programs]:
    """A short directory (sockets' paths are limited) and the programs in it."""
    with tempfile.TemporaryDirectory(prefix="kn") as directory:
        found = Programs(Path(directory))
        try:
            yield found
        finally:
            found.end()
