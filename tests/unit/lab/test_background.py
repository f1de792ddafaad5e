"""Programs that go on running are waited for until they say so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab import background
from lab.errors import LabError

READY = [sys.executable, "-c", "import os, signal, sys; os.write(int(sys.argv[2]), b'ready'); signal.pause()"]


def test_it_is_back_when_the_program_is_ready(tmp_path: Path) -> None:
    process = background.start_ready(READY, tmp_path / "log" / "x.log")
    assert process.poll() is None
    process.kill()
    process.wait()


def test_a_program_that_ends_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="did not start: port 80 is taken"):
        background.start_ready(["sh", "-c", "echo port 80 is taken >&2"], tmp_path / "x.log")


def test_a_silent_program_is_ended(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="did not start: no message"):
        background.start_ready(["sh", "-c", "exec sleep 60"], tmp_path / "x.log", timeout=0.05)
