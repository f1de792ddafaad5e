"""Runs other programs: their output is read line by line, and shown only if they fail."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_USERS_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kaspa-private-peers"
CACHE = ROOT / ".cache" if (ROOT / "verify.yml").is_file() else _USERS_CACHE
"""Where built things are kept. An installed collection, which is no checkout, is no place to write to."""
_TAIL_LINES = 30

Command = Sequence[str | Path]


class Problem(Exception):
    """A problem for the user: what happened, and in `remedy` what to do."""

    def __init__(self, what: str, remedy: str = "", output: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.output = output

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


def run(
    command: Command,
    *,
    on_line: Callable[[str], None] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    what: str = "",
    remedy: str = "",
) -> str:
    """Run a program with no input and return what it printed, both streams together.

    on_line gets each line as it comes; env is added to the environment; `what` and `remedy` word the Problem that is
    raised if the program can't be started or does not exit with 0.
    """
    words = [str(word) for word in command]
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise Problem(what or f"{words[0]} is not installed", remedy or f"install {words[0]}") from error
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            lines.append(line)
            tail.append(line)
            if on_line:
                on_line(line.rstrip())
    if process.returncode:
        raise Problem(what or f"`{' '.join(words[:4])} …` failed ({process.returncode})", remedy, "".join(tail))
    return "".join(lines)
