"""Reads the output of `record.py` for one place, line by line."""

from __future__ import annotations

import base64
import binascii
import re
import threading
from importlib import resources

from kaspa_node.errors import one_line

_DROPPED = re.compile(r"(\d+) packets? dropped by kernel")
# What tcpdump prints in any case.
_CHATTER = re.compile(r"tcpdump: (listening on|data link type|verbose output)|\d+ packets? |tcpdump: WARNING")
_LISTENING = "tcpdump: listening on"
_END = "#end"
_SOURCE = resources.files(__package__).joinpath("record.py").read_text(encoding="utf-8")


TCPDUMP, SOCKET = "tcpdump", "socket"


def command(python: str, means: str, seconds: float, limit: int, interface: str, expression: str) -> list[str]:
    """The command line that captures packets, limited in time and in bytes.

    python: on the host. means: TCPDUMP, or SOCKET in a user namespace of one user.
    """
    return [python, "-I", "-S", "-c", _SOURCE, means, f"{seconds:g}", str(limit), interface, expression]


class Recorder:
    """Receives the lines.

    listening: it captures from now on. settled: set when it listens, or never will. dropped: packets that the kernel
    had no room for.
    """

    def __init__(self, limit: int) -> None:
        """limit: the most bytes of the recording."""
        self.listening = False
        self.settled = threading.Event()
        self.dropped = 0
        self._whole = False
        self._limit = limit
        self._said: list[str] = []
        self._text: list[str] = []

    def line(self, line: str) -> None:
        """One line of its output."""
        if line.startswith("# "):
            self._note(line[2:])
        elif line.strip() == _END:
            self._whole = True
        else:
            self._text.append(line.strip())

    def over(self) -> None:
        """No more lines come."""
        self.settled.set()

    def _note(self, note: str) -> None:
        if note.startswith(_LISTENING):
            self.listening = True
            self.settled.set()
        dropped = _DROPPED.search(note)
        if dropped:
            self.dropped = int(dropped[1])
        elif not _CHATTER.match(note):
            self._said.append(one_line(note.removeprefix("tcpdump: ")))

    @property
    def content(self) -> bytes:
        """The pcap file; empty if there is none, or an incomplete one."""
        try:
            return base64.b64decode("".join(self._text), validate=True) if self._whole else b""
        except binascii.Error:
            return b""

    @property
    def full(self) -> bool:
        """Whether it ended because of the limit of bytes."""
        return len(self.content) >= self._limit

    @property
    def failure(self) -> str | None:
        """Why there is nothing, from tcpdump; None if there is something."""
        if self.listening and self.content:
            return None
        return "; ".join(self._said) or "it ended without a word"
