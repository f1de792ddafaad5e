from __future__ import annotations

import sys
from pathlib import Path

import kaspa_process
import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import ProcessService, born

# Says that it has begun only once it would notice a SIGTERM; reading from a pipe that nobody writes to waits for ever.
PROGRAM = """
import os, signal, sys
signal.signal(signal.SIGTERM, {handler})
os.write(1, b"begun\\n")
reader, writer = os.pipe()
os.read(reader, 1)
"""


def start(directory: Path, handler: str) -> tuple[ProcessService, int]:
    service = ProcessService("it", str(directory))
    ready, told = directory / "ready", PROGRAM.format(handler=handler)
    import os

    os.mkfifo(ready)
    words = ["sh", "-c", f'echo up > {ready}; exec "$@"', "sh", sys.executable, "-c", told]
    pid = service.start(words, {}, "mark")
    ready.read_text()
    return service, pid


def test_a_process_lives_on_and_ends_when_it_is_told(tmp_path: Path) -> None:
    service, pid = start(tmp_path, "signal.SIG_DFL")
    assert service.state().pid == pid
    assert service.record()["fingerprint"] == "mark"
    service.stop(timeout=10)
    assert born(pid) is None
    assert service.record()["fingerprint"] == "mark"
    service.forget()
    assert service.record() == {}


def test_it_is_started_again_as_it_was_started(tmp_path: Path) -> None:
    service = ProcessService("it", str(tmp_path))
    words = ["sh", "-c", 'echo "$GREETING"; exec cat "$0"', str(tmp_path / "never")]
    (tmp_path / "never").touch()
    first = service.start(words, {"GREETING": "hello"}, "mark")
    service.stop(timeout=10)
    assert service.start_again() != first
    service.stop(timeout=10)
    assert service.record()["fingerprint"] == "mark"
    assert service.record()["argv"] == words


def test_what_was_never_started_can_not_be_started_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not say how to start it"):
        ProcessService("it", str(tmp_path)).start_again()


def test_the_record_is_for_its_owner_alone(tmp_path: Path) -> None:
    service = ProcessService("it", str(tmp_path))
    service.start(["true"], {}, "mark")
    assert (tmp_path / "it.json").stat().st_mode & 0o777 == 0o600


def test_stopping_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    ProcessService("it", str(tmp_path)).stop(timeout=1)


def test_what_differs_makes_another_fingerprint() -> None:
    one = kaspa_process.fingerprint(["a"], {"X": "1"}, "t")
    assert one == kaspa_process.fingerprint(["a"], {"X": "1"}, "t")
    others = [(["b"], {"X": "1"}, "t"), (["a"], {"X": "2"}, "t"), (["a"], {"X": "1"}, "u")]
    assert all(kaspa_process.fingerprint(*other) != one for other in others)
