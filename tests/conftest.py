"""What all tests share: kinds by directory, fast kinds first, a time limit for each, and when the lab's are skipped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

# A run in a shell's background begins with SIGINT ignored, and what the tests start would inherit that: nobody could be
# interrupted then.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Directory → marker; what stands in none of them is a unit test. In the order in which they run.
KINDS = {
    "integration": "network",
    "hostile": "hostile",
    "interop": "interop",
    "nat": "nat",
    "local": "local",
    "soak": "soak",
    "lab": "lab",
    "runbooks": "runbook",
}
# A busy machine makes no test fail: what takes long there is slow, not wrong.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Seconds for one test with its fixtures: a fixture of the slow kinds deploys to three hosts. The limits end tests that
# hang; on a machine with nothing else to do, a unit test takes a few seconds at most.
TIME_LIMITS = {
    "unit": 180,
    "network": 180,
    "hostile": 180,
    "interop": 180,
    "nat": 240,
    "local": 300,
    "soak": 600,
    "lab": 600,
    "runbook": 1200,
}


def kind_of(path: Path, marked: Callable[[str], object]) -> str:
    """The kind of a test: its own marker where it has one, else that of its directory."""
    for marker in KINDS.values():
        if marked(marker):
            return marker
    parts = path.relative_to(HERE).parts if path.is_relative_to(HERE) else ()
    return KINDS.get(parts[0], "unit") if parts else "unit"


def rank(kind: str) -> int:
    """Where a kind stands in the order of the run."""
    return ["unit", *KINDS.values()].index(kind)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    kinds = {item: kind_of(item.path, item.get_closest_marker) for item in items}
    for item, kind in kinds.items():
        if kind != "unit":
            item.add_marker(kind)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIME_LIMITS[kind]))
    booted = {"lab", "runbook"}
    if booted & set(kinds.values()):
        reason = _why_no_lab()
        if reason is not None:
            for item, kind in kinds.items():
                if kind in booted:
                    item.add_marker(pytest.mark.skip(reason=f"booted hosts can't run here: {reason}"))
    items.sort(key=lambda item: rank(kinds[item]))


def _why_no_lab() -> str | None:
    from lab import booted, precheck
    from lab.paths import Paths

    probes = precheck.booted(Paths(), before_up=booted.owner_of_running_lab() is None)
    problem = precheck.first_problem(probes)
    return None if problem is None else f"{problem.name}: {problem.remedy}"
