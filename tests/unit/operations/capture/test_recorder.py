"""What the program on a host prints, and the program itself with a tcpdump of its own."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from operations.capture.recorder import TCPDUMP, Recorder, command

TOLD = [
    "# tcpdump: data link type LINUX_SLL2",
    "# tcpdump: listening on any, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 262144 bytes",
    "# 2 packets captured",
    "# 3 packets received by filter",
    "# 1 packet dropped by kernel",
]


def recorder(*lines: str, limit: int = 1000) -> Recorder:
    found = Recorder(limit)
    for line in lines:
        found.line(line)
    return found


def test_a_recording() -> None:
    content = bytes(range(256))
    text = base64.encodebytes(content).decode().splitlines()
    found = recorder(*TOLD, *text, "#end", limit=256)
    assert found.listening
    assert found.settled.is_set()
    assert (found.content, found.dropped, found.failure, found.full) == (content, 1, None, True)
    assert not recorder(*TOLD, *text, "#end", limit=257).full


def test_a_recording_that_broke_off_is_none() -> None:
    found = recorder(*TOLD, "1MOyoQ==")
    assert (found.content, found.failure) == (b"", "it ended without a word")


def test_bytes_that_are_no_base64_are_none() -> None:
    assert recorder(*TOLD, "hello!", "#end").content == b""


def test_why_there_is_nothing() -> None:
    found = recorder("# tcpdump: wan: No such device exists", "# (SIOCGIFHWADDR\x1b: No such device)", "#end")
    assert not found.listening
    assert found.failure == "wan: No such device exists; (SIOCGIFHWADDR : No such device)"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that comes first on PATH, for a tcpdump; temporary files go to its neighbour."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return tmp_path


def run(place: Path, tcpdump: str, limit: int = 1000) -> Recorder:
    program = place / "bin" / "tcpdump"
    program.write_text(f"#!/bin/sh\n{tcpdump}\n")
    program.chmod(0o755)
    argv = command(sys.executable, TCPDUMP, 20, limit, "any", "tcp and (host 10.1.0.2)")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    return recorder(*done.stdout.splitlines(), limit=limit)


def test_the_program_hands_over_what_tcpdump_writes(script: Path) -> None:
    found = run(script, f'echo "tcpdump: listening on any" >&2; ls {script}/tmp; printf "%s|" "$@"')
    assert found.content == b"--immediate-mode|-s|512|-B|16384|-U|-n|-p|-i|any|-w|-|tcp and (host 10.1.0.2)|"
    assert found.listening
    assert found.settled.is_set()
    assert list((script / "tmp").iterdir()) == []


def test_the_program_keeps_no_more_than_it_may_and_ends_tcpdump(script: Path) -> None:
    found = run(script, 'echo "tcpdump: listening on any" >&2; yes | head -c 200; exec sleep 600', limit=100)
    assert found.content == b"y\n" * 50
    assert found.full


def test_the_program_tells_why_tcpdump_fails(script: Path) -> None:
    found = run(script, 'echo "tcpdump: any: You don\'t have permission to capture on that device" >&2; exit 1')
    assert found.failure == "any: You don't have permission to capture on that device"
