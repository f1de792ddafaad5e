"""A runbook page: its commands, what each prints, and what is done to the lab between them.

A block ```console holds commands (`$ ` before them, a line that ends with a backslash goes on in the next) and what
they print; ` exit=N` after the word console is the exit code of the block's last command, 0 where it isn't given.
A line `...` stands for any lines. A comment `<!-- lab: COMMAND -->` is no part of the page for readers: it breaks or
mends the lab, so that the next command meets the situation that the page is about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parents[2] / "docs" / "runbooks"

_OPENING = re.compile(r"```console(?: exit=(?P<code>[0-9]+))?")
_SCENE = re.compile(r"<!-- lab: (?P<command>.+) -->")


@dataclass(frozen=True)
class Step:
    """A command, as the shell gets it. shown: the lines that follow it; first, end: theirs in the page, from 0.

    A scene is a step that readers don't see; what it prints is not looked at.
    """

    command: str
    scene: bool
    code: int
    shown: tuple[str, ...]
    first: int
    end: int


class PageError(ValueError):
    """A page that can't be followed: where, and why."""


def pages() -> list[Path]:
    """Every page but the list of them."""
    return sorted(page for page in DIRECTORY.glob("*.md") if page.name != "README.md")


def steps(text: str) -> list[Step]:
    """The steps of a page in order. Raises PageError."""
    lines = text.splitlines()
    found: list[Step] = []
    number = 0
    while number < len(lines):
        scene = _SCENE.fullmatch(lines[number])
        opening = _OPENING.fullmatch(lines[number])
        number += 1
        if scene is not None:
            found.append(Step(scene["command"], True, 0, (), number, number))
        elif opening is not None:
            end = _closing(lines, number)
            found += _block(lines, number, end, int(opening["code"] or 0))
            number = end + 1
    return found


def _closing(lines: list[str], first: int) -> int:
    try:
        return lines.index("```", first)
    except ValueError:
        raise PageError(f"line {first}: the block has no end") from None


def _block(lines: list[str], first: int, end: int, code: int) -> list[Step]:
    starts = [number for number in range(first, end) if lines[number].startswith("$ ")]
    if not starts or starts[0] != first:
        raise PageError(f"line {first + 1}: a console block begins with a command: $ …")
    found = []
    for start, stop in zip(starts, [*starts[1:], end], strict=True):
        shown = start + 1
        while shown < stop and lines[shown - 1].endswith("\\"):
            shown += 1
        command = "\n".join([lines[start].removeprefix("$ "), *lines[start + 1 : shown]])
        expected = code if stop == end else 0
        found.append(Step(command, False, expected, tuple(lines[shown:stop]), shown, stop))
    return found
