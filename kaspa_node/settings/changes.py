"""What differs between two configurations of a program, and whether it can be applied while the program runs."""

from __future__ import annotations

from dataclasses import dataclass

from kaspa_node.settings.model import Settings, definitions


@dataclass(frozen=True, slots=True)
class Changes:
    """The keys of the settings that differ, in the order of the docs.

    live: settings that a running node applies. restart: settings that need a restart.
    """

    live: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


def between(old: Settings, new: Settings) -> Changes:
    """What has changed. Both are of the same role; only the settings of that role count."""
    if old.role != new.role:
        raise ValueError(f"settings of a {old.role} can't be compared with those of a {new.role}")
    differing = [d for d in definitions() if old.role in d.roles and getattr(old, d.key) != getattr(new, d.key)]
    return Changes(
        live=tuple(definition.key for definition in differing if definition.live),
        restart=tuple(definition.key for definition in differing if not definition.live),
    )
