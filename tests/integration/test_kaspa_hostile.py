"""What an allowed peer can do to a node, seen from outside: the node is a process of its own."""

from __future__ import annotations

import gzip
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.grpc_loop import THREADS
from kaspa_node.kaspa.grpc_options import METHOD
from tests.unit.kaspa.machines import version
from tests.unit.kaspa.test_intake import of_size

ROOT = Path(__file__).resolve().parents[2]
MEBIBYTE = 1 << 20
SECONDS = 30
STALL = 2.0
"""Seconds that the loop may be late: a busy machine may let a process wait, but not as long as an attack did."""
HANDSHAKE = tuple(m.SerializeToString() for m in (version(), messages.verack(), messages.ready()))


@dataclass(frozen=True, slots=True)
class Report:
    """How the victim is. resident, peak: bytes; stall: seconds that its loop was late, at worst; cpu: seconds."""

    resident: int
    peak: int
    stall: float
    threads: int
    sessions: int
    cpu: float


class Victim:
    """A node's Kaspa side, as a process."""

    def __init__(self, socket: Path) -> None:
        self.target = f"unix:{socket}"
        command = [sys.executable, "-m", "tests.integration.kaspa_victim", str(socket)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self.report()

    def report(self) -> Report:
        """How it is, and how late its loop was since the last report."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Report(**json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(SECONDS)
        finally:
            self._process.kill()
            self._process.wait()


class Attacker:
    """A call that sends bytes as they are: gRPC's flag says that each message is packed, or that none is."""

    def __init__(self, target: str, packed: bool = False) -> None:
        self._said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        compression = grpc.Compression.Gzip if packed else grpc.Compression.NoCompression
        self._channel = grpc.insecure_channel(target, options=options, compression=compression)
        self._call = self._channel.stream_stream(METHOD)(self._requests(), timeout=SECONDS)

    def _requests(self) -> Iterator[bytes]:
        while (data := self._said.get()) is not None:
            yield data

    def say(self, *said: bytes) -> None:
        for data in said:
            self._said.put(data)

    def hear(self) -> list[str]:
        """The kinds of the node's messages until it ends the call."""
        heard = []
        try:
            for data in self._call:
                heard.append(messages.kind(messages.decode(data)))
        except grpc.RpcError:
            return [*heard, "cut off"]
        return heard

    def hear_one(self) -> str:
        return messages.kind(messages.decode(next(self._call)))

    def close(self) -> None:
        self._said.put(None)
        self._channel.close()


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    running = Victim(tmp_path / "kaspa.sock")
    yield running
    running.end()


def attack(victim: Victim, *said: bytes, packed: bool = True) -> tuple[list[str], Report, Report]:
    """What the attacker hears when it says that, and how the victim was before and is after."""
    before = victim.report()
    attacker = Attacker(victim.target, packed)
    try:
        attacker.say(*said)
        heard = attacker.hear()
    finally:
        attacker.close()
    return heard, before, victim.report()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([of_size(1, 30 * MEBIBYTE)], id="first"),
        pytest.param([*HANDSHAKE, of_size(1, 30 * MEBIBYTE)], id="after the handshake"),
        pytest.param([*HANDSHAKE, of_size(1, 400_000)], id="within the size"),
        pytest.param([of_size(20, 30 * MEBIBYTE)], id="version"),
    ],
)
def test_a_message_that_unpacks_to_thirty_mebibytes(victim: Victim, said: list[bytes]) -> None:
    heard, before, after = attack(victim, *said)
    assert heard[-1] in {"Version", "Reject", "cut off"}
    assert after.peak - before.peak < 16 * MEBIBYTE
    # Before there were bounds: 1.7 GiB, and 4 s of a processor, in which nothing else ran.
    assert after.stall < STALL
    assert after.cpu - before.cpu < 1.0


def test_a_kind_without_a_flow_is_never_unpacked(victim: Victim) -> None:
    """Half a gibibyte in half a mebibyte; the session goes on."""
    before = victim.report()
    bomb = of_size(2, 64 * MEBIBYTE)
    attacker = Attacker(victim.target, packed=True)
    attacker.say(*HANDSHAKE, *[bomb] * 8, messages.ping(7).SerializeToString())
    while attacker.hear_one() != "Pong":
        pass
    after = victim.report()
    attacker.close()
    assert after.peak - before.peak < 16 * MEBIBYTE
    assert after.cpu - before.cpu < 1.0


def test_threads_do_not_grow_with_sessions(victim: Victim) -> None:
    before = victim.report()
    attackers = [Attacker(victim.target) for _ in range(128)]
    try:
        for attacker in attackers:
            assert attacker.hear_one() == "Version"
        after = victim.report()
    finally:
        for attacker in attackers:
            attacker.close()
    assert after.sessions == 128
    assert after.threads <= THREADS
    assert after.threads - before.threads <= 4


def test_a_flood_of_pings_leaves_the_loop_to_others(victim: Victim) -> None:
    """A peer that sends as fast as it can is slowed down by flow control; its share of the processor stays small."""
    pings = [messages.ping(nonce).SerializeToString() for nonce in range(20_000)]
    attacker = Attacker(victim.target)
    attacker.say(*HANDSHAKE, *pings)
    answered = threading.Event()

    def read() -> None:
        for count, _ in enumerate(iter(attacker.hear_one, "")):
            if count > 6000:
                answered.set()
                return

    reader = threading.Thread(target=read, daemon=True)
    before = victim.report()
    reader.start()
    assert answered.wait(SECONDS)
    after = victim.report()
    attacker.close()
    assert after.stall < STALL
    assert after.peak - before.peak < 32 * MEBIBYTE


def test_gzip_of_the_test_is_what_the_issue_says() -> None:
    assert len(gzip.compress(of_size(1, 30 * MEBIBYTE))) < 32 * 1024
