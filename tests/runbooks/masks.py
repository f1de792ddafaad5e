"""What differs from run to run of the same command: ids, times, counts of bytes. Lines are compared without it."""

from __future__ import annotations

import re

_MASKS = (
    # A relay's own counts since its start, in `fab status`: how often who tried what depends on who was first.
    (re.compile(r"^( *\S+ +[0-9]+ +[0-9]+ +)[0-9]+( +\S+ [KM]?i?B) +[0-9]+ +[0-9]+$"), r"\1N\2 N N"),
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"12D3Koo[1-9A-HJ-NP-Za-km-z]+(…[1-9A-HJ-NP-Za-km-z]{8})?"), "PEER"),
    (re.compile(r"…[1-9A-HJ-NP-Za-km-z]{8}\b"), "PEER"),
    # A duration and a size have other units when they pass a limit; nothing at all stays nothing.
    (re.compile(r"\b[0-9]+ (min|h|d)( [0-9]+ (s|min|h))?\b"), "N s"),
    (re.compile(r"\b(?!0 B)[0-9][0-9,]*(\.[0-9]+)? ([KMG]i|k)?B\b"), "N B"),
    (re.compile(r"[0-9]{8}T[0-9]{6}Z(-[0-9a-f]{4})?"), "RUN"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+(\+00:00|Z| UTC)?)?"), "TIME"),
    (re.compile(r"\b[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?\b(?!/)"), "TIME"),
    (re.compile(r"\bfd[0-9a-f]{2}(:[0-9a-f]{0,4})+\b"), "SYNTHETIC"),
    (re.compile(r"\b[0-9a-f]{16}\b(\.[0-9]+)?"), "ID"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{7,64}\b"), "HEX"),
    # A NAT chooses a port for whom it gives another one each time.
    (re.compile(r"(?<=:)(?!401[12]\b)[0-9]{4,5}\b"), "PORT"),
    (
        re.compile(r"[+-]?\b[0-9][0-9,]*(\.[0-9]+)? ?(?=(ms|s|bytes|packets|seconds|round trips|RT)\b)"),
        "N ",
    ),
    (re.compile(r"\b(pid|bytes|sent|received|lines?|nonce|seconds|pings)([ =:]+)[0-9,.]+"), r"\1\2N"),
    (
        re.compile(r"\bsession [0-9,]+, by relay (0|[1-9][0-9,]*)"),
        lambda match: f"session N, by relay {match[1][0] > '0'}",
    ),
    # How many tasks a playbook has is nothing that a page is about; what it changed is.
    (re.compile(r"\b(ok|skipped)=[0-9]+"), r"\1=N"),
    (re.compile(r"[-─=]{4,}"), "----"),
    (re.compile(r"\*{4,}"), ""),
    (re.compile(r"\s+"), " "),
)

# Told on the way, by how long it takes.
_PROGRESS = re.compile(r"(\S+: )?\.\.\. .*: still running on .*|\[ *[0-9]+ s\] .*|Took [0-9]+ s\.")


def progress(line: str) -> bool:
    """Whether the line only says that something goes on, or how long it took."""
    return _PROGRESS.fullmatch(line.strip()) is not None


def masked(line: str) -> str:
    """The line without what differs from run to run."""
    for pattern, instead in _MASKS:
        line = pattern.sub(instead, line)
    return line.strip()
