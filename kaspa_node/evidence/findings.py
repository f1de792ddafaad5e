"""The possible results for one piece of proof."""

from __future__ import annotations

from dataclasses import dataclass


class Lacking(Exception):
    """A piece of evidence isn't there; the text says which and where."""


class Contradiction(Exception):
    """The evidence contradicts the piece of proof; the text names both sides."""


@dataclass(frozen=True, slots=True)
class Proven:
    """The piece is proven; `detail` is what was seen."""

    detail: str
    word = "proven"


@dataclass(frozen=True, slots=True)
class Missing:
    """The evidence for the piece is not complete."""

    detail: str
    word = "missing"


@dataclass(frozen=True, slots=True)
class Refuted:
    """The evidence contradicts the piece."""

    detail: str
    word = "refuted"


Finding = Proven | Missing | Refuted
