from __future__ import annotations

import sys
from pathlib import Path

import kaspa_process
from ansible.module_utils.kaspa_service import ProcessService, born

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
    pid = kaspa_process.start(service, words, {}, "mark")
    ready.read_text()
    return service, pid


def test_a_process_lives_on_and_ends_when_it_is_told(tmp_path: Path) -> None:
    service, pid = start(tmp_path, "signal.SIG_DFL")
    assert service.state().pid == pid
    assert service.record()["fingerprint"] == "mark"
    kaspa_process.stop(service, timeout=10)
    assert born(pid) is None
    assert service.record() == {}


def test_stopping_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    kaspa_process.stop(ProcessService("it", str(tmp_path)), timeout=1)


def test_what_differs_makes_another_fingerprint() -> None:
    one = kaspa_process.fingerprint(["a"], {"X": "1"}, "t")
    assert one == kaspa_process.fingerprint(["a"], {"X": "1"}, "t")
    others = [(["b"], {"X": "1"}, "t"), (["a"], {"X": "2"}, "t"), (["a"], {"X": "1"}, "u")]
    assert all(kaspa_process.fingerprint(*other) != one for other in others)
