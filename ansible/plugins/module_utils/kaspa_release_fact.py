"""The fact `kaspa_release`: which release a host uses, and which it used before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def sources_of(release: str, fact: Mapping[str, Any]) -> str:
    """What that release was made from, if the fact has it; else empty.

    After a rollback the fact still names the release that was left, and the host uses the one before it.
    """
    known = {fact.get("before"): fact.get("before_sources"), fact.get("release"): fact.get("sources")}
    return str(known.get(release) or "")
