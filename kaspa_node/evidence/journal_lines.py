"""Journals as `kaspa_node.journal` writes them, read back strictly.

A line that the writer could not have written is counted with the reason and never used; it is not repaired, and nothing
is guessed. Lines end at a line feed only, so line numbers are those of grep and sed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import BinaryIO

from kaspa_node.milestones import Milestone, named

MAX_LINE = 64 * 1024
"""Longest line that is read, in bytes without the line feed; the writer's lines are much shorter."""

_LEVELS = {"DEBUG": 10, "INFO ": 20, "WARN ": 30, "ERROR": 40}
_MARK = " milestone="
_LINE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}[+-][0-9]{2}:[0-9]{2}) \[([A-Z ]{5})\] (.*)"
)
_ESCAPE = r'\\(?:["\\]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})'
_PAIR = re.compile(rf' ([a-z][a-z_]*)=(?:([^ "=\\]+)|"((?:[^"\\]|{_ESCAPE})*)")')
_UNESCAPE = re.compile(_ESCAPE)


class LineError(ValueError):
    """The writer could not have written this line; the text is the reason, from a small fixed set."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a journal.

    number: counted from 1. time: Unix time by the clock of the host. text: the whole line.
    milestone: None for a line that is no milestone; fields: its values as texts, unescaped.
    """

    number: int
    time: float
    level: int
    sentence: str
    text: str
    milestone: Milestone | None = None
    fields: dict[str, str] = field(default_factory=dict)

    def is_a(self, milestone: Milestone, **values: str) -> bool:
        """Whether this line is of that kind and has exactly these values."""
        return self.milestone is milestone and all(self.fields.get(name) == value for name, value in values.items())

    def seconds(self, name: str) -> float | None:
        """The field as a number of 0 or more, None if it is missing or not such a number."""
        text = self.fields.get(name, "")
        return float(text) if re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", text, re.ASCII) else None

    def count(self, name: str) -> int | None:
        """The field as a whole number of 0 or more, None if it is missing or not such a number."""
        text = self.fields.get(name, "")
        return int(text) if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) else None


@dataclass(frozen=True, slots=True)
class Journal:
    """The content of a journal: its good lines in the order of the file, and the number of other lines, by reason."""

    lines: tuple[Line, ...]
    malformed: dict[str, int]


def read_journal(stream: BinaryIO) -> Journal:
    """Read a whole journal; memory is bounded per line, and no content raises."""
    return read_lines(stream, parse_line)


def read_lines(stream: BinaryIO, parse: Callable[[int, bytes], Line]) -> Journal:
    """Read a journal with `parse`: from number and content of a line to a Line, or LineError."""
    lines: list[Line] = []
    malformed: Counter[str] = Counter()
    for number, raw in raw_lines(stream):
        try:
            lines.append(parse(number, raw))
        except LineError as error:
            malformed[str(error)] += 1
    return Journal(tuple(lines), dict(malformed))


def raw_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Number and content of each line, without its line feed; of a line over MAX_LINE only MAX_LINE + 1 bytes."""
    number = 0
    while raw := stream.readline(MAX_LINE + 2):
        number += 1
        rest = raw
        while len(rest) == MAX_LINE + 2 and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE + 2)
        yield number, raw.removesuffix(b"\n")[: MAX_LINE + 1]


def parse_line(number: int, raw: bytes) -> Line:
    """Read one line (without its line feed); LineError if the writer could not have written it."""
    plain = parse_plain(number, raw)
    sentence, mark, rest = plain.sentence.partition(_MARK)
    if "milestone=" in sentence or _MARK in rest:
        raise LineError("more than one milestone")
    if not mark:
        return plain
    name, _, _ = rest.partition(" ")
    milestone = named(name)
    if milestone is None:
        raise LineError("unknown milestone")
    if plain.level != milestone.level:
        raise LineError("level is not the milestone's")
    fields = _fields(milestone, rest[len(name) :])
    return replace(plain, sentence=sentence, milestone=milestone, fields=fields)


def parse_plain(number: int, raw: bytes) -> Line:
    """Read time, level and text of a line in kaspad's format, with any text; LineError if it has another format."""
    if len(raw) > MAX_LINE:
        raise LineError("longer than a line may be")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise LineError("not UTF-8") from None
    if not text.isprintable():
        raise LineError("control characters")
    match = _LINE.fullmatch(text)
    if match is None:
        raise LineError("no time stamp and level")
    time, level = _time(match[1]), _LEVELS.get(match[2])
    if level is None:
        raise LineError("unknown level")
    return Line(number, time, level, match[3], text)


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise LineError("no such time") from None


def _fields(milestone: Milestone, text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None or match[1] in values:
            raise LineError("fields are not logfmt")
        values[match[1]] = match[2] if match[2] is not None else _unescape(match[3])
        position = match.end()
    if list(values) != [name for name in milestone.fields if name in values]:
        raise LineError("fields are not the milestone's")
    return values


def _unescape(text: str) -> str:
    return _UNESCAPE.sub(lambda match: _character(match[0]), text)


def _character(escape: str) -> str:
    if escape[1] in '"\\':
        return escape[1]
    code = int(escape[2:], 16)
    if code > 0x10FFFF:
        raise LineError("fields are not logfmt")
    return chr(code)
