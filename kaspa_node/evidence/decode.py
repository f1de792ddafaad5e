"""JSON from outside, read field by field: a field of a wrong type is an error that says where."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import NoReturn, TypeVar

T = TypeVar("T")


class DecodeError(ValueError):
    """A field is missing or wrong; the text names the file, the field and what is expected."""


def parse_json(where: str, text: str) -> Record:
    """Read one JSON object; numbers that are not finite, and duplicate keys, are refused."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_not_a_number)
    except DecodeError as error:
        raise DecodeError(f"{where}: {error}") from None
    except RecursionError:
        raise DecodeError(f"{where}: nested too deeply") from None
    except ValueError as error:
        raise DecodeError(f"{where}: not JSON: {error}") from None
    return as_record(where, value)


def as_record(where: str, value: object) -> Record:
    """A JSON object as a record; `where` names it in errors."""
    if not isinstance(value, dict):
        raise DecodeError(f"{where}: expected an object, found {_kind(value)}")
    return Record(where, value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise DecodeError("a key is twice in one object")
    return values


def _not_a_number(text: str) -> NoReturn:
    raise DecodeError(f"{text} is not a JSON number")


def _kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__


class Record:
    """One JSON object and its place in the evidence."""

    def __init__(self, where: str, values: dict[str, object]) -> None:
        self.where = where
        self._values = values

    def _fail(self, name: str, expected: str) -> NoReturn:
        raise DecodeError(f"{self.where}: {name} should be {expected}, found {_kind(self._values.get(name))}")

    def present(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    @property
    def names(self) -> list[str]:
        """The names of all fields."""
        return list(self._values)

    def text(self, name: str) -> str:
        """A non-empty text."""
        value = self._values.get(name)
        if not isinstance(value, str) or not value:
            self._fail(name, "a text")
        return value

    def any_text(self, name: str) -> str | None:
        """A text, or None if it is missing, null or empty."""
        return self.text(name) if self._values.get(name) not in (None, "") else None

    def integer(self, name: str) -> int:
        """A whole number of 0 or more, below 2**63."""
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
            self._fail(name, "a whole number")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            self._fail(name, "a number")
        return float(value)

    def boolean(self, name: str) -> bool:
        """True or false."""
        value = self._values.get(name)
        if not isinstance(value, bool):
            self._fail(name, "true or false")
        return value

    def record(self, name: str) -> Record:
        """An object inside this one."""
        return as_record(f"{self.where}: {name}", self._values.get(name))

    def list(self, name: str, read: Callable[[str, object], T]) -> tuple[T, ...]:
        """A list, each item read by `read(where, item)`."""
        value = self._values.get(name)
        if not isinstance(value, list):
            self._fail(name, "a list")
        return tuple(read(f"{self.where}: {name}[{index}]", item) for index, item in enumerate(value))

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """None if the field is missing or null, otherwise the result of `read(name)`."""
        return read(name) if self.present(name) else None


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def as_text(where: str, value: object) -> str:
    """An item of a list that must be a text."""
    if not isinstance(value, str):
        raise DecodeError(f"{where}: expected a text, found {_kind(value)}")
    return value


def as_integer(where: str, value: object) -> int:
    """An item of a list that must be a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise DecodeError(f"{where}: expected a whole number, found {_kind(value)}")
    return value
