"""Background programs of the lab: each starts in its own session, and the caller waits until it is ready."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.command import environment, last_line
from lab.errors import LabError
from lab.paths import CHECKOUT


def module(name: str, *arguments: str) -> list[str]:
    """The command line that runs a module of the lab with this Python."""
    return [sys.executable, "-m", name, *arguments]


def start(argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start `argv` in the background, its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=CHECKOUT,
            env=environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        )


def start_ready(
    argv: Sequence[str], log: Path, *, timeout: float = 15.0, extra: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `argv` with `--ready-fd N` added, and wait until it writes a line there; `extra` joins its environment.

    Raises LabError with the log's last line if it ends first or is silent for `timeout` seconds.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*argv, "--ready-fd", str(writer)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=CHECKOUT,
                env=environment() | {"PYTHONDONTWRITEBYTECODE": "1"} | (extra or {}),
                pass_fds=[writer],
            )
        os.close(writer)
        writer = -1
        readable, _, _ = select.select([reader], [], [], timeout)
        if not readable or not os.read(reader, 64):
            process.kill()
            process.wait()
            raise LabError(f"`{' '.join(argv)}` did not start: {last_line(log.read_text(errors='replace'))} ({log})")
        return process
    finally:
        os.close(reader)
        if writer != -1:
            os.close(writer)
