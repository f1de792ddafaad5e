"""A relay, a server and a client behind two NATs, each of them ours or on another libp2p."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lab.paths import Paths
from tests.interop import local_programs
from tests.interop.foreign import PATIENCE, ForeignProgram
from tests.interop.local_programs import Broken, EchoBackend
from tests.nat.nodes import RELAY_ADDRESS, Nodes
from tests.unit.p2p.parties import peer_id

OURS = "ours"
RELAYED, DIRECT = "relayed", "direct"
STREAM_PROTOCOLS = ("/kaspad/transport/1.0.0", "/kaspa/p2p/bridge/1.0")
ENDLESS = 1 << 40
RTT_MS = 50.0
LATE = "3s"
NUMBERS = {"relay": 1, "server": 2, "client": 3}


class Cell(NamedTuple):
    """Who is what: ours, go, rust or js."""

    relay: str
    server: str
    client: str

    def __str__(self) -> str:
        return "-".join(self)


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """Of a circuit: bytes each way, seconds."""

    bytes: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Punched:
    """How a direct connection came to be. seconds: from the relayed connection to the direct one."""

    attempts: int
    seconds: float


class Triple:
    """The three programs of a cell, running."""

    def __init__(self, cell: Cell, directory: Path, limits: RelayLimits | None, late: Sequence[str]) -> None:
        self.cell = cell
        self._kinds = cell._asdict()
        self._limits = limits
        self._late = late
        self._foreign: dict[str, ForeignProgram] = {}
        self._forward = directory / "forward.sock"
        self._runs = 0
        # The mark of a foreign client's last dial.
        self._dialed: int | None = None
        self.backend = EchoBackend(directory / "backend.sock")
        self.world = Nodes(directory, Paths(directory / "lab"), rtt_ms=RTT_MS, jitter_ms=0.0)
        for name, kind in self._kinds.items():
            if kind != OURS:
                self.world.ids[name] = peer_id(NUMBERS[name])
        more = "" if limits is None else f"circuit_bytes = {limits.bytes}\ncircuit_duration = {limits.seconds}\n"
        self.world.configure_relay(more)
        self.world.configure_server(f'backend = "external"\nbackend_address = "unix:{directory}/backend.sock"\n')
        # Whether the path is relayed or direct is for the test to say.
        more = 'backend = "external"\nwait_for_direct = 0\n'
        self.world.configure_client(more, f'listen = "unix:{self._forward}"\n')

    def start(self, *names: str) -> None:
        """Start programs and wait until each is ready: reserved, joined, able to punch unless that comes late."""
        for name in names:
            if self._kinds[name] == OURS:
                self.world.start(name)
                continue
            program = self._foreign[name] = self._foreign_program(name)
            program.wait("ready")
            if name != "relay":
                program.wait("reserved" if name == "server" else "joined")
                if self._kinds[name] != "js" and name not in self._late:
                    program.wait("punching")
        self.world.wait_reserved(*(name for name in names if name != "relay" and self._kinds[name] == OURS))

    def _foreign_program(self, name: str) -> ForeignProgram:
        inside = self.world.inside(name)
        # rust-libp2p silently dials from another port while the kernel still holds a connection that has ended.
        subprocess.run([*inside, "sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=0"], check=True)
        deadline = time.monotonic() + PATIENCE
        while left := subprocess.run([*inside, "ss", "-Htan"], capture_output=True, text=True, check=True).stdout:
            assert time.monotonic() < deadline, f"connections of {name} that has ended are still there:\n{left}"
        if name == "relay":
            options = ["--listen", "/ip4/0.0.0.0/tcp/4011", "--external", f"/ip4/{RELAY_ADDRESS}/tcp/4011"]
            if self._limits is not None:
                options += ["--limit-bytes", str(self._limits.bytes), "--limit-seconds", str(self._limits.seconds)]
            return ForeignProgram(self._kinds[name], inside, "relay", NUMBERS[name], *options)
        relay = f"/ip4/{RELAY_ADDRESS}/tcp/4011/p2p/{self.world.ids['relay']}"
        options = ["--listen", "/ip4/0.0.0.0/tcp/4012", "--relay", relay]
        options += ["--reserve"] if name == "server" else []
        options += ["--public-after", LATE] if name in self._late else []
        return ForeignProgram(self._kinds[name], inside, "peer", NUMBERS[name], *options)

    def foreign(self, name: str) -> ForeignProgram:
        """The program of a role that is not ours."""
        return self._foreign[name]

    @property
    def _server(self) -> str:
        return self.world.ids["server"]

    @property
    def punches(self) -> bool:
        """Whether server and client try for a direct connection that can come about: js-libp2p has no port reuse."""
        return "js" not in (self.cell.server, self.cell.client)

    def logs(self) -> str:
        """The last lines of all programs, for a failure."""
        ours = {name: self.world.log(name) for name, kind in self._kinds.items() if kind == OURS}
        said = ours | {name: program.said() for name, program in self._foreign.items()}
        return "\n".join(f"{name}:\n{text[-4000:]}" for name, text in said.items())

    # Connections

    def connect_relayed(self) -> None:
        """A fresh connection through the relay."""
        client = self._foreign.get("client")
        if client is None:
            assert self.session("relay-only")["path"] == RELAYED
        else:
            self._dial(client)

    def connect_direct(self) -> Punched:
        """A fresh connection through the relay, and what the punch makes of it."""
        client = self._foreign.get("client")
        if client is None:
            reply = self.session("prefer-direct")
            assert reply["path"] == DIRECT, f"{reply['punch']}\n{self.logs()}"
            return Punched(reply["punch"]["attempts"], reply["timings"]["punch"])
        mark = self._dial(client)
        relayed = client.wait("connected", mark, peer=self._server, path=RELAYED)
        direct = client.wait("connected", mark, peer=self._server, path=DIRECT)
        attempts = [each for each in client.all("attempt", mark, peer=self._server) if each["at"] <= direct["at"]]
        return Punched(len(attempts), direct["at"] - relayed["at"])

    def session(self, policy: str) -> dict[str, Any]:
        """A fresh session of our client."""
        self._runs += 1
        return self.world.session(f"interop-{self._runs}", policy=policy)

    def _dial(self, client: ForeignProgram) -> int:
        """Drop what there is, and dial through the relay; returns the mark from which the events follow."""

        def count(event: str) -> int:
            return len(client.all(event, peer=self._server))

        if self._dialed is not None and self.punches:
            # What a punch that is broken off leaves would be taken for the next one's success.
            client.wait("connected", self._dialed, peer=self._server, path=DIRECT)
        if count("connected") > count("closed"):
            client.tell("drop", peer=self._server)
            client.wait_until(lambda: count("connected") == count("closed"))
        mark = self._dialed = client.tell("dial", peer=self._server)
        client.wait("connected", mark, peer=self._server, path=RELAYED)
        return mark

    # Bytes

    def echo(self, path: str, size: int, protocol: str = STREAM_PROTOCOLS[0]) -> float:
        """Random bytes to the server and back, on a connection of that path, compared; returns seconds.

        protocol: for a client that is not ours. Raises Broken.
        """
        client = self._foreign.get("client")
        if client is None:
            return local_programs.echo(self._forward, size)
        mark = client.tell("echo", peer=self._server, path=path, protocol=protocol, bytes=size)
        try:
            echoed = client.wait("echoed", mark, seconds=local_programs.PATIENCE)
        except AssertionError as error:
            after = re.search(r"after (\d+) bytes", str(error))
            if after is None:
                raise
            raise Broken(int(after[1])) from error
        assert (echoed["bytes"], echoed["same"]) == (size, True)
        return float(echoed["seconds"])

    def relay_bytes(self) -> int:
        """What has come in at the relay's interface, by its kernel."""
        words = [*self.world.inside("relay"), "cat", "/proc/self/net/dev"]
        table = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        [line] = [line for line in table.splitlines() if line.strip().startswith("eth0:")]
        return int(line.split(":")[1].split()[0])

    # Ends

    def kill_server(self, path: str = DIRECT) -> float:
        """Kill the server while the client has a connection of that path; seconds until the client knows."""
        client = self._foreign.get("client")
        if client is not None:
            mark = client.mark()
            killed = self._kill("server")
            return float(client.wait("closed", mark, peer=self._server, path=path)["at"]) - killed
        with local_programs.call(self._forward) as connection:
            connection.sendall(b"held")
            assert connection.recv(4) == b"held"
            killed = self._kill("server")
            _wait_end(connection)
            return time.monotonic() - killed

    def kill_client(self) -> float:
        """Kill the client while a stream is open on the direct connection; seconds until the server knows."""
        server = self._foreign.get("server")
        if server is not None:
            mark = server.mark()
            killed = self._kill("client")
            return float(server.wait("closed", mark, peer=self.world.ids["client"], path=DIRECT)["at"]) - killed
        ended, received = len(self.backend.ended), self.backend.received
        client = self._foreign.get("client")
        with ExitStack() as held:
            if client is not None:
                client.tell("echo", peer=self._server, path=DIRECT, protocol=STREAM_PROTOCOLS[0], bytes=ENDLESS)
            else:
                held.enter_context(local_programs.call(self._forward)).sendall(b"held")
            self.backend.wait_received(received + 1)
            killed = self._kill("client")
            return self.backend.wait_ended(ended) - killed

    def relayed_until_ended(self) -> float:
        """Seconds from now until the relayed connection, idle but for one byte, has ended at the client."""
        start = time.monotonic()
        client = self._foreign.get("client")
        if client is not None:
            return float(client.wait("closed", self._dialed or 0, peer=self._server, path=RELAYED)["at"]) - start
        with local_programs.call(self._forward) as connection:
            connection.sendall(b"1")
            assert connection.recv(1) == b"1"
            _wait_end(connection)
        return time.monotonic() - start

    def _kill(self, name: str) -> float:
        program = self._foreign.pop(name, None)
        if name == "client":
            self._dialed = None
        return self.world.kill(name) if program is None else program.kill()

    def close(self) -> None:
        """End everything."""
        for program in self._foreign.values():
            program.kill()
        self.world.close()
        self.backend.close()


def _wait_end(connection: socket.socket) -> None:
    """Return once the other end has closed or broken off the connection."""
    with suppress(ConnectionError):
        assert connection.recv(1) == b""


@contextmanager
def triple(cell: Cell, limits: RelayLimits | None = None, late: Sequence[str] = ()) -> Iterator[Triple]:
    """The three programs of a cell behind plain NATs, running, the server's reservation made.

    late: roles of go-libp2p that begin to serve hole punches LATE after their start.
    """
    # Not pytest's directory: the path of a unix socket may have 103 bytes at the most.
    directory = Path(tempfile.mkdtemp(prefix="kaspa-interop-"))
    try:
        running = Triple(cell, directory, limits, late)
        try:
            running.start("relay")
            running.start("server", "client")
            yield running
        finally:
            running.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
