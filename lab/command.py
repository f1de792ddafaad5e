"""Runs a program with a time limit, and says in one line why it failed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from lab.errors import LabError

DEFAULT_TIMEOUT = 20.0


def run(argv: Sequence[str], *, stdin: str | None = None, timeout: float = DEFAULT_TIMEOUT, check: bool = True) -> str:
    """Standard output of `argv`.

    Raises LabError if the program is missing, needs longer than `timeout` seconds, or (with `check`) fails.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=environment(),
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{' '.join(argv)}` took longer than {timeout:.0f} s") from error
    if check and done.returncode != 0:
        raise LabError(f"`{' '.join(argv)}` failed ({done.returncode}): {last_line(done.stderr or done.stdout)}")
    return done.stdout


def environment() -> dict[str, str]:
    """The caller's environment, with the directories of system programs in PATH, which users often don't have."""
    return os.environ | {"PATH": os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


def succeeds(argv: Sequence[str], *, stdin: str | None = None, timeout: float = DEFAULT_TIMEOUT) -> bool:
    """Whether `argv` ends with status 0 in time."""
    try:
        run(argv, stdin=stdin, timeout=timeout)
    except LabError:
        return False
    return True


def last_line(text: str) -> str:
    """The last line of `text` that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
