"""Wrong configurations, tried as a user would: each ends in one line, and docs/troubleshooting.md has it as printed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kaspa_node import identity, milestones
from tests.integration.programs import ROOT, Program, programs
from tests.unit.p2p.parties import peer_id, seed

RELAY_ID = "12D3KooWR2KSRQWyanR1dPvnZkXt296xgf3FFn8135szya3zYYwY"
SERVER_ID = "12D3KooWPC7iF5f59UFdRFEUfNprqjshtWcevpHm3N9VxD8ArxYW"
RELAY = f"/ip4/203.0.113.10/tcp/4011/p2p/{RELAY_ID}"
TROUBLES = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
# Where a host has what the tests have elsewhere.
STATE = "/var/lib/kaspa-node"

Prepare = Callable[[Path], None]


@pytest.fixture
def home() -> Iterator[Path]:
    """A short directory: sockets' paths are limited."""
    with tempfile.TemporaryDirectory(prefix="kn") as found:
        yield Path(found)


def run(home: Path, toml: str, command: str = "peer", *before: str, **variables: str) -> tuple[int, str]:
    """The exit code of a program with that configuration, and what it says, with the paths of a real host."""
    (home / "peer.toml").write_text(toml, encoding="utf-8")
    variables = {"STATE_DIR": str(home / "state"), "CONTROL": str(home / "c.sock")} | variables
    done = subprocess.run(
        [*before, sys.executable, "-m", "kaspa_node", command, "--config", "peer.toml"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        | {f"KASPA_NODE_{key}": value for key, value in variables.items()},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.replace(f"{home}/state", STATE)


def said(text: str) -> str:
    """The one line that was printed; fails where it was more, or none."""
    line, end, rest = text.partition("\n")
    assert (end, rest) == ("\n", ""), text
    assert line.startswith("kaspa-node: ")
    return line


def documented(line: str) -> bool:
    """Whether the line stands in docs/troubleshooting.md by itself."""
    return line in TROUBLES.splitlines()


WRONG = {
    "a slip in a key": f'relay = ["{RELAY}"]',
    "a slip in a value": 'network = "testnet"',
    "a port too high": 'listen = ["/ip4/0.0.0.0/tcp/40120"]\nannounce = ["/ip4/203.0.113.20/tcp/99999"]',
    "no peer id": 'relays = ["/ip4/203.0.113.10/tcp/4011"]',
    "half a peer id": f'relays = ["{RELAY[:-1]}"]',
    "another transport": f'relays = ["/ip4/203.0.113.10/udp/4011/quic-v1/p2p/{RELAY_ID}"]',
    "half a file": 'relays = ["/ip4/203.0.113.10/tcp/4011',
    "no way to a remote": f'[[remotes]]\nname = "server"\npeer_id = "{SERVER_ID}"',
    "the relay's settings": "max_circuits = 8",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_told_as_documented_and_nothing_is_written(home: Path, what: str) -> None:
    code, text = run(home, WRONG[what])
    assert code == 2
    assert documented(said(text)), text
    assert os.listdir(home) == ["peer.toml"]


def test_a_node_that_would_dial_itself(home: Path) -> None:
    (home / "state").mkdir(mode=0o700)
    put_key(home / "state", identity.encode(seed(1)))
    code, text = run(home, f'relays = ["/ip4/203.0.113.10/tcp/4011/p2p/{peer_id(1)}"]')
    assert code == 2
    assert documented(said(text).replace(peer_id(1), RELAY_ID)), text


def test_a_port_that_is_taken(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, text = run(home, f'listen = ["/ip4/127.0.0.1/tcp/{port}"]')
    assert code == 2
    assert documented(said(text).replace(f"127.0.0.1:{port}", "0.0.0.0:4012")), text


# The key


def put_key(directory: Path, content: bytes, mode: int = 0o600) -> None:
    key = directory / identity.KEY_FILE
    key.write_bytes(content)
    key.chmod(mode)


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        (identity.encode(seed(1)), 0o644),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o600),
        (identity.encode(seed(1))[:-8], 0o600),
        (b"\x08\x02" + identity.encode(seed(1))[2:], 0o600),
    ],
    ids=["open to others", "PEM", "cut", "another type"],
)
@pytest.mark.parametrize("command", ["peer", "relay", "identity"])
def test_a_key_that_can_not_be_used(home: Path, command: str, content: bytes, mode: int) -> None:
    (home / "state").mkdir(mode=0o700)
    put_key(home / "state", content, mode)
    code, text = run(home, "", command)
    assert code == 2
    assert documented(said(text)), text
    assert os.listdir(home / "state") == [identity.KEY_FILE]


def can_mount() -> bool:
    """Whether a file system can be mounted in a namespace of one's own."""
    if shutil.which("unshare") is None:
        return False
    words = ["unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


MOUNTED = ["unshare", "--mount", "--map-root-user", "sh", "-c"]


@pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here: unshare is absent or not allowed")
@pytest.mark.parametrize(
    "prepare",
    [
        "mount -t tmpfs -o size=4k tmpfs state && printf x > state/full",
        "mount -t tmpfs -o ro tmpfs state",
    ],
    ids=["full", "read-only"],
)
def test_a_state_directory_that_can_not_be_written(home: Path, prepare: str) -> None:
    (home / "state").mkdir(mode=0o700)
    left = 'code=$?; ls -A state >> left; exit "$code"'
    code, text = run(home, "", "peer", *MOUNTED, f'{prepare} && "$@"; {left}', "sh")
    assert code == 2
    assert documented(said(text)), text
    assert (home / "left").read_text().split() in ([], ["full"])


@pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here: unshare is absent or not allowed")
def test_a_place_for_the_control_socket_that_can_not_be_written(home: Path) -> None:
    (home / "run").mkdir()
    words = [*MOUNTED, 'mount -t tmpfs -o ro tmpfs run && exec "$@"', "sh"]
    code, text = run(home, 'listen = ["/ip4/127.0.0.1/tcp/0"]', "peer", *words, CONTROL=str(home / "run" / "c.sock"))
    assert code == 2
    assert "read-only file system; set `control` to a path" in said(text)


# A relay that is not there, or is another one


def reason_of(**settings: str) -> str:
    """Why a peer with these settings gets no reservation, as its log and `status` tell."""
    with programs() as more:
        peer = more.start("peer", "peer", 1, **settings)
        reason = peer.seen(milestones.RESERVATION_FAILED)["reason"]
        assert reason in [relay["reason"] for relay in peer.status()["relays"]]
        assert peer.process.poll() is None
        return reason


def at(address: tuple[str, int]) -> str:
    return f"/ip4/{address[0]}/tcp/{address[1]}/p2p/{RELAY_ID}"


def test_another_relay_answers() -> None:
    with programs() as more:
        relay: Program = more.start("relay", "relay", 9)
        address = relay.address().removesuffix(f"/p2p/{peer_id(9)}")
        reason = reason_of(relays=f"{address}/p2p/{RELAY_ID}")
    neutral = reason.replace(address, "/ip4/203.0.113.10/tcp/4011").replace(peer_id(9), SERVER_ID)
    assert documented(neutral), reason


def test_nobody_answers() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        reason = reason_of(relays=at(bound.getsockname()))
    assert documented(re.sub(r"127\.0\.0\.1:\d+", "203.0.113.10:4011", reason)), reason


def test_something_else_answers() -> None:
    page = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\nBad request."
    with socket.create_server(("127.0.0.1", 0)) as web:
        place = web.getsockname()
        with programs() as more:
            peer = more.start("peer", "peer", 1, relays=at(place))
            caller, _ = web.accept()
            with caller:
                caller.sendall(page)
                reason = peer.seen(milestones.RESERVATION_FAILED)["reason"].replace("\\\\", "\\")
    assert documented(reason.replace(f"127.0.0.1:{place[1]}", "203.0.113.10:4011").replace(at(place), RELAY)), reason
