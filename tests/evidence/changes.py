"""Every way to change one thing in a run's evidence."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.unit.evidence.builder import Evidence

Place = tuple[str, tuple[str | int, ...]]
"""A document of the evidence by its name, and the keys that lead to a value in it."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def documents(evidence: Evidence) -> dict[str, dict[str, Any]]:
    return {"run": evidence.run} | {f"{h}/{label}": s for (h, label), s in evidence.snapshots.items()}


def values(evidence: Evidence) -> list[Place]:
    """Every value of every document, containers included."""
    return [(name, path) for name, document in documents(evidence).items() for path in _paths(document)]


def _paths(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*at, key)
        yield from _paths(child, (*at, key))


def named(at: Place) -> str:
    return "/".join([at[0], *map(str, at[1])])


def place(evidence: Evidence, at: Place) -> Any:
    """What stands there."""
    found: Any = documents(evidence)[at[0]]
    for key in at[1]:
        found = found[key]
    return found


def put(evidence: Evidence, at: Place, value: object) -> Evidence:
    """A copy with that value there."""
    changed = copy.deepcopy(evidence)
    place(changed, (at[0], at[1][:-1]))[at[1][-1]] = value
    return changed


def without(evidence: Evidence, at: Place) -> Evidence:
    """A copy without what stands there."""
    changed = copy.deepcopy(evidence)
    del place(changed, (at[0], at[1][:-1]))[at[1][-1]]
    return changed


def other(value: object) -> object:
    """A value of the same kind that says something else."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 50_000
    if isinstance(value, str):
        return value[:-1] + ("7" if not value.endswith("7") else "8")
    return [] if isinstance(value, list) else {} if isinstance(value, dict) else "something"


def lines_of(evidence: Evidence) -> list[tuple[str, int]]:
    """Every line of the two peers' journals."""
    return [(host, index) for host in ("server", "client") for index in range(len(evidence.journals[host]))]


def changed_fields(line: str) -> Iterator[tuple[str, str]]:
    """The line without each of its fields, and with each of them changed; and the field's name."""
    head, mark, rest = line.partition(" milestone=")
    name, *fields = rest.split(" ")
    for field in fields:
        key, _, value = field.partition("=")
        for kept in (
            [f for f in fields if f != field],
            [f if f != field else f"{key}={other(value)}" for f in fields],
        ):
            yield key, head + mark + " ".join([name, *kept])
