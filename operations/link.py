"""One host, as the tasks see it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Ran:
    """The result of a command. exit_code: 128 + n if signal n ended it. out, err: its output."""

    exit_code: int
    out: bytes
    err: bytes

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.exit_code == 0

    @property
    def text(self) -> str:
        """What it printed, as text."""
        return self.out.decode(errors="replace")

    @property
    def complaint(self) -> str:
        """The last line of its error output, otherwise of its output, otherwise its exit code."""
        for stream in (self.err, self.out):
            lines = stream.decode(errors="replace").strip().splitlines()
            if lines:
                return lines[-1].strip()
        return f"it ended with {self.exit_code} and said nothing"


class Link(Protocol):
    """A host where commands can run. All calls raise HostProblem; one call at a time."""

    def run(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float = 30.0, become: bool = True
    ) -> Ran:
        """Run a command and wait for its end; no exit code is a problem of the host.

        argv: without a shell; supervisor.PYTHON as the first word means the host's Python. input: for its standard
        input. timeout: seconds, after which it is ended, children included. become: as root.
        """

    def stream(
        self,
        argv: Sequence[str],
        on_line: OnLine,
        *,
        timeout: float,
        stop: threading.Event,
        on_error: OnLine | None = None,
        become: bool = True,
    ) -> int:
        """Run a command and pass on each line of its output at once (on_error: of its error output).

        Ends it, children included, when `stop` is set, after `timeout` seconds, and when the link is lost or the task
        interrupted. Returns its exit code, 128 + 15 if it was ended.
        """

    def read(self, path: str) -> bytes:
        """A file's content. Raises MissingFile."""

    def write(self, path: str, content: bytes, *, mode: int = 0o600, owner: str | None = None) -> None:
        """Write a file completely or not at all. owner: a user and the group of that name; None: the current user."""

    def close(self) -> None:
        """Disconnect; commands that still run through this link end."""
