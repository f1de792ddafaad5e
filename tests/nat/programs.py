"""kaspa-node programs on the hosts of a rootless lab, in a directory of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kaspa_node.control import client as control
from kaspa_node.errors import ControlError, RequestFailed
from lab.local import lab
from lab.local.state import NAMESPACES
from lab.paths import CHECKOUT, Paths
from lab.topology import host, router

READY_SECONDS = 30.0
STOP_SECONDS = 10.0


class LabPrograms:
    """Running programs. Requests go over their control sockets, which no network namespace hides.

    places: the host of the lab on which each program runs, by the program's name. Those named `relay…` are relays.
    """

    def __init__(
        self, directory: Path, paths: Paths, places: dict[str, str], *, rtt_ms: float, jitter_ms: float
    ) -> None:
        self.paths = paths
        self._directory = directory
        self._places = places
        self._state = lab.up(paths, mode=NAMESPACES, rtt_ms=rtt_ms, jitter_ms=jitter_ms)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.ids = {name: self._identity(name) for name in places}

    def _home(self, name: str) -> Path:
        return self._directory / name

    def _identity(self, name: str) -> str:
        self._home(name).mkdir(mode=0o700)
        environment = self._environment() | {"KASPA_NODE_STATE_DIR": str(self._home(name))}
        done = subprocess.run(
            [sys.executable, "-m", "kaspa_node", "identity"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def _configure(self, name: str, text: str) -> None:
        home = self._home(name)
        places = f'state_dir = "{home}"\ncontrol = "{home}/control.sock"\n'
        (home / "node.toml").write_text(places + text)

    @staticmethod
    def _environment() -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("KASPA_NODE_", "LIBP2P_"))}
        return kept | {"PYTHONPATH": str(CHECKOUT)}

    def inside(self, name: str) -> list[str]:
        """What goes before a command line so that it runs on that host."""
        return lab.enter(self.paths, self._state, host(self._places[name]))

    def start(self, *names: str) -> None:
        """Start programs, and wait until each answers on its control socket."""
        for name in names:
            program = "relay" if name.startswith("relay") else "peer"
            words = [sys.executable, "-m", "kaspa_node", program, "--config", str(self._home(name) / "node.toml")]
            with (self._home(name) / "node.log").open("ab") as log:
                self._running[name] = subprocess.Popen(
                    [*self.inside(name), *words], env=self._environment(), stderr=log
                )
        for name in names:
            self.wait_for(name, lambda status: True)

    @property
    def running(self) -> dict[str, int]:
        """The process id of each program that was started and not ended, whether or not it has ended by itself."""
        return {name: process.pid for name, process in self._running.items()}

    def ended(self) -> dict[str, int]:
        """The programs that have ended by themselves, with their exit codes."""
        codes = {name: process.poll() for name, process in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def stop(self, *names: str) -> None:
        """End programs with SIGTERM, and wait until they are gone."""
        for name in names:
            self._running[name].send_signal(signal.SIGTERM)
        for name in names:
            process = self._running.pop(name)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

    def kill(self, name: str) -> float:
        """End a program with SIGKILL; returns when, on the monotonic clock."""
        process = self._running.pop(name)
        process.kill()
        killed = time.monotonic()
        process.wait()
        return killed

    def ask(self, name: str, request: dict[str, Any], timeout: float = 90.0) -> dict[str, Any]:
        """A program's answer. Raises RequestFailed, ControlError."""
        return control.request(self._home(name) / "control.sock", request, timeout)

    def status(self, name: str) -> dict[str, Any]:
        """What the program says of itself."""
        answer = self.ask(name, {"do": "status"})["status"]
        assert isinstance(answer, dict)
        return answer

    def wait_for(self, name: str, condition: Any) -> dict[str, Any]:
        """The first status for which `condition` holds."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                status = self.status(name)
                if condition(status):
                    return status
            except (ControlError, RequestFailed):
                if self._running[name].poll() is not None:
                    raise
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} did not get there in {READY_SECONDS:.0f} s:\n{self.log(name)[-2000:]}")

    def wait_reserved(self, *names: str) -> None:
        """Wait until these peers have their reservations."""
        for name in names:
            self.wait_for(name, lambda status: all(r["state"] == "reserved" for r in status["relays"]))

    def set_nat(self, name: str, mode: str) -> None:
        """Change what a router does: plain, symmetric, eim or rst."""
        lab.set_nat(self.paths, router(name), mode)

    def narrow(self, name: str, size: int | None) -> None:
        """Have a router drop packets of more than `size` bytes to the other one in silence; None: no more."""
        lab.narrow(self.paths, router(name), size)

    def log(self, name: str) -> str:
        """The program's log so far."""
        return (self._home(name) / "node.log").read_text()

    def close(self) -> None:
        """End everything."""
        for process in self._running.values():
            process.kill()
            process.wait()
        lab.down(self.paths)
