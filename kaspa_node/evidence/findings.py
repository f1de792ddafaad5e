"""What can be said of one piece of proof."""

from __future__ import annotations

from dataclasses import dataclass


class Lacking(Exception):
    """A piece of evidence isn't there; the text says which and where."""


class Contradiction(Exception):
    """The evidence says the opposite of what is to be proved; the text names both sides."""


@dataclass(frozen=True, slots=True)
class Proven:
    """The piece holds; `detail` is what was seen."""

    detail: str
    word = "proven"


@dataclass(frozen=True, slots=True)
class Missing:
    """The evidence for the piece is not complete."""

    detail: str
    word = "missing"


@dataclass(frozen=True, slots=True)
class Refuted:
    """The evidence speaks against the piece."""

    detail: str
    word = "refuted"


Finding = Proven | Missing | Refuted
