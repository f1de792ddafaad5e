"""Follows a page in the lab, command by command, in one shell's environment."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from tests.playbooks import ROOT
from tests.runbooks.compare import aligned, shortened, told
from tests.runbooks.masks import masked
from tests.runbooks.page import Step

STEP_SECONDS = 600


class Strayed(AssertionError):
    """A command did not do what the page says: which, and the difference."""


@dataclass(frozen=True)
class Printed:
    """What a command printed, both streams together, and its exit code."""

    code: int
    lines: list[str]


class Shell:
    """Runs commands one after another; directory and variables go from each to the next, as at a prompt."""

    def __init__(self, keep: Path) -> None:
        self._keep = keep
        keep.write_text(f'export PATH="{ROOT}/.venv/bin:$PATH"\ncd "{ROOT}"\n', encoding="utf-8")

    def run(self, command: str) -> Printed:
        """Run it to its end. Raises subprocess.TimeoutExpired after STEP_SECONDS."""
        script = (
            f'. "{self._keep}"\n{command}\nkept=$?\n{{ export -p; echo "cd \\"$PWD\\""; }} > "{self._keep}"\nexit $kept'
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "COLUMNS": "120"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=STEP_SECONDS,
            check=False,
        )
        return Printed(done.returncode, told(done.stdout))


@contextmanager
def shell() -> Iterator[Shell]:
    """A shell at the top of the checkout, its environment in use."""
    with tempfile.TemporaryDirectory(prefix="kaspa-runbook") as directory:
        yield Shell(Path(directory) / "kept")


def follow(step: Step, at: Shell) -> list[str]:
    """Run a step; the lines that the page should show of it. Raises Strayed."""
    printed = at.run(step.command)
    if printed.code != step.code:
        tail = "\n".join(printed.lines[-40:])
        raise Strayed(f"line {step.first}: `{step.command}` ended with {printed.code}, not {step.code}:\n{tail}")
    if step.scene:
        return []
    lines = aligned(step.shown, printed.lines)
    if lines is None:
        shown = [masked(line) for line in step.shown if line.strip()]
        found = [masked(line) for line in shortened(printed.lines)]
        difference = "\n".join(unified_diff(shown, found, "the page", "the command", lineterm="", n=2))
        raise Strayed(f"line {step.first}: `{step.command}` does not print what the page shows:\n{difference}")
    return lines
