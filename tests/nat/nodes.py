"""Relay, server and client as processes behind the two NATs of a rootless lab, in a directory of their own.

Used by the tests beside it and by tests/bench/bench_punch.py; needs no root where user namespaces are allowed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.paths import Paths
from lab.topology import host
from tests.nat.programs import LabPrograms

RELAY_ADDRESS = host("relay").address
NAMES = ("relay", "server", "client")


class Nodes(LabPrograms):
    """A program on each host: the client dials the server through the relay."""

    def __init__(self, directory: Path, paths: Paths, *, rtt_ms: float, jitter_ms: float) -> None:
        super().__init__(directory, paths, {name: name for name in NAMES}, rtt_ms=rtt_ms, jitter_ms=jitter_ms)
        self.configure_relay()
        self.configure_server()
        self.configure_client()

    def configure_relay(self, more: str = "") -> None:
        """Write the relay's settings for its next start; more: further lines of TOML."""
        self._configure("relay", f'allow = ["{self.ids["server"]}", "{self.ids["client"]}"]\n' + more)

    def configure_server(self, more: str = "") -> None:
        """Write the server's settings for its next start; more: further lines of TOML."""
        self._configure("server", self._relays() + f'allow = ["{self.ids["client"]}"]\n' + more)

    def configure_client(self, more: str = "", remote: str = "") -> None:
        """Write the client's; remote: further lines for the one remote that it has."""
        server = f'[[remotes]]\nname = "server"\npeer_id = "{self.ids["server"]}"\n'
        self._configure("client", self._relays() + more + server + remote)

    def _relays(self) -> str:
        return f'relays = ["/ip4/{RELAY_ADDRESS}/tcp/4011/p2p/{self.ids["relay"]}"]\n'

    def session(self, run: str, **more: Any) -> dict[str, Any]:
        """A fresh session from the client to the server."""
        answer = self.ask("client", {"do": "session", "remote": "server", "run": run, "timeout": 60} | more)
        reply = answer["session"]
        assert isinstance(reply, dict)
        return reply


@contextmanager
def nodes(*, rtt_ms: float = 50.0, jitter_ms: float = 0.0) -> Iterator[Nodes]:
    """All three programs, running, their reservations made, behind plain NATs."""
    # Not pytest's directory: the path of a control socket may have 103 bytes at the most.
    directory = Path(tempfile.mkdtemp(prefix="kaspa-nat-"))
    try:
        world = Nodes(directory, Paths(directory / "lab"), rtt_ms=rtt_ms, jitter_ms=jitter_ms)
        try:
            world.start("relay")
            world.start("server", "client")
            world.wait_reserved("server", "client")
            yield world
        finally:
            world.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
