"""Hosts of either lab, for the tests that both labs have to pass: run the probe on one, and see what its NAT did."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import nat
from lab.network import Namespaces
from lab.topology import host, router

PROBE = Path(__file__).with_name("nat_probe.py")
SECONDS = 20.0
RELAY = host("relay").address
PUBLIC = {name: router(name).public for name in ("client", "server")}


@dataclass(frozen=True)
class Lab:
    """One of the two labs. `python` gives the command line of Python on a host."""

    python: Callable[[str], list[str]]
    namespaces: Namespaces
    set_nat: Callable[[str, str], None]

    @contextmanager
    def started(self, name: str, *words: str) -> Iterator[subprocess.Popen[str]]:
        """The probe running on a host; ended with the block."""
        with PROBE.open() as script:
            process = subprocess.Popen(
                [*self.python(name), "-", *words], stdin=script, stdout=subprocess.PIPE, text=True, errors="replace"
            )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def probe(self, name: str, *words: str) -> str:
        """What the probe prints on a host."""
        with self.started(name, *words) as process:
            output, _ = process.communicate(timeout=SECONDS)
            return output.strip()

    def dropped(self, name: str) -> int:
        """Packets that the NAT in front of a host has dropped."""
        found = nat.counters(self.namespaces, router(name))
        return found["in_drop"].packets + found["fwd_drop"].packets

    def mappings(self, name: str) -> list[str]:
        """How two servers on the relay's host see connections from one port of a host."""
        with self.started("relay", "observe", "7001", "7002") as observer:
            assert line(observer) == "ready"
            found: list[str] = json.loads(self.probe(name, "mapping", "4012", RELAY, "7001", "7002"))
            return found

    def simultaneous_open(self, seconds: float) -> tuple[str, str]:
        """What server and client print when each connects to the other's public address at once."""
        words = ("both", "4012")
        with self.started("server", *words, PUBLIC["client"], str(seconds)) as far:
            near = self.probe("client", *words, PUBLIC["server"], str(seconds))
            output, _ = far.communicate(timeout=SECONDS)
            return output.strip(), near

    def round_trip(self, name: str, address: str) -> float:
        """Seconds of the fastest of five TCP handshakes that are refused (nobody listens on port 9)."""
        script = (
            "import socket,sys,time\n"
            "def once():\n"
            "    started = time.monotonic()\n"
            "    try: socket.create_connection((sys.argv[1], 9), timeout=5)\n"
            "    except ConnectionRefusedError: return time.monotonic() - started\n"
            "    raise SystemExit('nobody refused')\n"
            "print(min(once() for _ in range(5)))\n"
        )
        done = subprocess.run(
            [*self.python(name), "-", address],
            input=script,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return float(done.stdout)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def check_nothing_unsolicited_gets_in(lab: Lab, name: str) -> None:
    """The host listens on the peer's port; the relay's host tries its NAT's public address."""
    before = lab.dropped(name)
    with lab.started(name, "listen", "4012") as listener:
        assert line(listener) == "ready"
        assert lab.probe("relay", "reach", PUBLIC[name], "4012") == "silence"
        assert lab.dropped(name) > before
        assert listener.poll() is None, "someone got through"


def check_simultaneous_open(lab: Lab) -> None:
    server, client = (json.loads(printed) for printed in lab.simultaneous_open(15))
    assert server == [f"{host('server').address}:4012", f"{PUBLIC['client']}:4012"]
    assert client == [f"{host('client').address}:4012", f"{PUBLIC['server']}:4012"]


def check_modes(lab: Lab) -> None:
    """Each mode maps one port, seen by two servers, as it says."""
    public = PUBLIC["client"]
    try:
        assert lab.mappings("client") == [f"{public}:4012", f"{public}:4012"]
        lab.set_nat("client", "eim")
        assert lab.mappings("client") == [f"{public}:{nat.EIM_PORT}"] * 2
        lab.set_nat("client", "symmetric")
        first, second = lab.mappings("client")
        assert first != second
        lab.set_nat("client", "rst")
        assert lab.mappings("client") == [f"{public}:4012", f"{public}:4012"]
        assert lab.probe("relay", "reach", public, "4012") == "refused"
    finally:
        lab.set_nat("client", "plain")


def check_symmetric_nats_let_nobody_through(lab: Lab) -> None:
    try:
        for name in PUBLIC:
            lab.set_nat(name, "symmetric")
        assert lab.simultaneous_open(2) == ("silence", "silence")
    finally:
        for name in PUBLIC:
            lab.set_nat(name, "plain")


def check_round_trips(lab: Lab, milliseconds: float) -> None:
    """Any two public addresses are that far apart; 15 % more are allowed for a busy machine."""
    for name, address in (("client", RELAY), ("server", RELAY)):
        measured = lab.round_trip(name, address) * 1000
        assert milliseconds <= measured < milliseconds * 1.15 + 5, f"{name} to {address}: {measured:.1f} ms"
