"""How a log line is written.

    2026-11-22 10:00:00.123+00:00 [INFO ] P2P Connected to incoming peer [fd00:…]:61216 (inbound: 1) milestone=… path=…

kaspad's line format (time in milliseconds with its offset, level padded to five characters), a sentence for people,
and logfmt fields for programs. Text from outside (user agents, reject reasons) can't forge a field: control
characters are escaped, and ` milestone=` is in a line only once, where this module wrote it. Long texts are cut,
because journald splits lines of 48 KiB. Lines of a traceback start with a bar.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from kaspa_node.milestones import Milestone

LOGGED_ONE_BY_ONE = 20
THEN_EVERY = 100

FieldValue = str | int | float | bool | None

_LOGGER_NAME = "kaspa_node"
_MARK = " milestone="
_FIELDS_ATTRIBUTE = "milestone_fields"
_CUT = "…"
_LONGEST_VALUE = 2000
_LONGEST_SENTENCE = 4000
_LEVEL_NAMES = {"WARNING": "WARN", "CRITICAL": "ERROR"}


def quote(value: FieldValue) -> str:
    """A logfmt value: bare if possible, otherwise in double quotes with backslash escapes."""
    if value is None:
        return '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    text = str(value)
    if text and len(text) <= _LONGEST_VALUE and all(c.isprintable() and c not in ' "=\\' for c in text):
        return text
    return '"' + _escape(text, _LONGEST_VALUE).replace('"', '\\"').replace(_MARK, " milestone\\x3d") + '"'


def _escape(text: str, longest: int) -> str:
    """The text with a backslash escape for each character that a line can't hold, cut near `longest` characters."""
    if len(text) <= longest and text.isprintable() and "\\" not in text:
        return text
    pieces: list[str] = []
    room = longest
    for char in text:
        piece = char if char.isprintable() and char != "\\" else _escaped(char)
        room -= len(piece)
        if room < 0:
            return "".join(pieces) + _CUT
        pieces.append(piece)
    return "".join(pieces)


def _escaped(char: str) -> str:
    if char == "\\":
        return "\\\\"
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _sentence(text: str) -> str:
    """Free text made safe for the part of a line before the fields."""
    return _escape(text, _LONGEST_SENTENCE).replace("milestone=", "milestone\\x3d")


def _plain(value: FieldValue) -> str:
    """A value as part of a sentence."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


class LineFormatter(logging.Formatter):
    """Formats records in kaspad's line format; a record with milestone fields gets them appended."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC)
        stamp = f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03d}+00:00"
        level = _LEVEL_NAMES.get(record.levelname, record.levelname)
        line = f"{stamp} [{level:<5}] {_sentence(record.getMessage())}"
        fields: str | None = getattr(record, _FIELDS_ATTRIBUTE, None)
        if fields is not None:
            line += fields
        if record.exc_info:
            # An exception's text may come from outside. With the bar it can't look like a line of its own.
            trace = self.formatException(record.exc_info).split("\n")
            line += "".join(f"\n| {_sentence(part)}" for part in trace)
        return line


class Journal:
    """Writes milestones and other lines to the program's log."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(_LOGGER_NAME)

    def record(self, milestone: Milestone, **fields: FieldValue) -> None:
        """Write one milestone. A missing field, or None, is left out of the line; an unknown field is an error."""
        unknown = fields.keys() - set(milestone.fields)
        if unknown:
            raise ValueError(f"milestone {milestone.name} has no field {', '.join(sorted(unknown))}")
        if not self._logger.isEnabledFor(milestone.level):
            return
        values = {name: fields.get(name) for name in milestone.fields}
        sentence = milestone.sentence.format(**{name: _plain(value) for name, value in values.items()})
        pairs = "".join(f" {name}={quote(value)}" for name, value in values.items() if value is not None)
        self._logger.log(milestone.level, "%s", sentence, extra={_FIELDS_ATTRIBUTE: f"{_MARK}{milestone.name}{pairs}"})

    def set_level(self, level: str) -> None:
        """Log from that level up: a name of the standard logging module, in any case."""
        self._logger.setLevel(level.upper())

    def debug(self, text: str, *args: object) -> None:
        """A line for developers."""
        self._logger.debug(text, *args)

    def info(self, text: str, *args: object) -> None:
        """A line for operators that verification does not read."""
        self._logger.info(text, *args)

    def warning(self, text: str, *args: object) -> None:
        """Something an operator should look at."""
        self._logger.warning(text, *args)

    def error(self, text: str, *args: object) -> None:
        """Something that ends the program or part of it."""
        self._logger.error(text, *args)


def configure(level: str = "INFO", stream: TextIO | None = None) -> Journal:
    """Send this program's log to `stream` (default: standard error), in the line format, from `level` up."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logger = logging.getLogger(_LOGGER_NAME)
    logger.setLevel(level.upper())
    return Journal(logger)


class Moderation:
    """Which of many events of one kind make a line: the first few, then every hundredth. Others can cause them at will.

    count: events so far.
    """

    def __init__(self) -> None:
        self.count = 0

    def due(self) -> bool:
        """Count one more event; whether it makes a line."""
        self.count += 1
        return self.count <= LOGGED_ONE_BY_ONE or self.count % THEN_EVERY == 0
