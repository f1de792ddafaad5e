"""Where the passphrase of a backup comes from: a file, a variable, or the terminal."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from operations.problems import UsageProblem

VARIABLE = "KASPA_KEYS_PASSPHRASE"
SHORTEST = 12
_WAYS = f"name a file (--passphrase-file), set {VARIABLE}, or run this on a terminal"


def passphrase(
    file: str | None,
    *,
    new: bool,
    environment: Mapping[str, str] = os.environ,
    ask: Callable[[str], str] = getpass.getpass,
    terminal: Callable[[], bool] = lambda: sys.stdin.isatty(),
) -> str:
    """The passphrase; a new one must be typed twice and must be long enough. Raises UsageProblem."""
    if file is not None:
        found = _first_line(Path(file).expanduser())
    elif environment.get(VARIABLE):
        found = environment[VARIABLE]
    elif terminal():
        found = _typed(ask, new=new)
    else:
        raise UsageProblem(f"no passphrase: {_WAYS}")
    if not found:
        raise UsageProblem(f"the passphrase is empty: {_WAYS}")
    if new and len(found) < SHORTEST:
        raise UsageProblem(f"the passphrase has {len(found)} characters; use at least {SHORTEST}, such as four words")
    return found


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UsageProblem(f"the passphrase file {path} is not text") from error
    except OSError as error:
        raise UsageProblem(f"the passphrase file {path} can't be read: {(error.strerror or '').lower()}") from error
    return lines[0] if lines else ""


def _typed(ask: Callable[[str], str], *, new: bool) -> str:
    try:
        first = ask("Passphrase of the backup: ")
        if new and ask("Once more: ") != first:
            raise UsageProblem("these are two different passphrases; nothing was written")
    except EOFError:
        raise UsageProblem(f"no passphrase: {_WAYS}") from None
    return first
