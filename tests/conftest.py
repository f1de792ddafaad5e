"""What all tests share: kinds by directory, fast kinds first, time limits, and when the lab's are left out."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import oracle
from lab.precheck import Probe

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
    "ssh": "ssh",
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
    "ssh": 600,
    "soak": 600,
    "lab": 600,
    "runbook": 1200,
}


@pytest.fixture(scope="session")
def native_programs() -> None:
    """The programs of the first proof of concept are built; else the test is skipped."""
    flaw = oracle.flaw()
    if flaw is not None:
        remedy = oracle.obstacle() or "build them: make oracle"
        pytest.skip(f"the programs of the first proof of concept: {flaw}; {remedy}")


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


BOOTED = ("lab", "runbook")
LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runbook-pages", type=int, metavar="N", help="follow only N pages of the runbooks, drawn anew")
    parser.addoption(
        "--lab-required", action="store_true", help="a skipped test of the booted lab fails, if the machine can run it"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    draw(config, items)
    kinds = {item: kind_of(item.path, item.get_closest_marker) for item in items}
    for item, kind in kinds.items():
        if kind != "unit":
            item.add_marker(kind)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIME_LIMITS[kind]))
    booted = [item for item, kind in kinds.items() if kind in BOOTED]
    problem = _why_no_lab() if booted else None
    if problem is not None:
        reason = f"booted hosts can't run here: {problem.name}: {problem.remedy}"
        if config.getoption("lab_required") and not problem.of_machine:
            raise pytest.UsageError(reason)
        for item in booted:
            item.add_marker(pytest.mark.skip(reason=reason))
            item.stash[NO_LAB] = True
    items.sort(key=lambda item: rank(kinds[item]))


def draw(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep only so many pages of the runbooks as the option says; the summary names the others."""
    pages = [item for item in items if item.path.parent.name == "runbooks"]
    wanted = config.getoption("runbook_pages")
    if wanted is None or len(pages) <= wanted:
        return
    kept = random.SystemRandom().sample(pages, wanted)
    left_out = [item for item in pages if item not in kept]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    config.stash[LEFT_OUT] = [item.name.partition("[")[2].rstrip("]") for item in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash.get(LEFT_OUT, [])
    if left_out:
        terminalreporter.write_line(f"runbooks left out this time: {', '.join(left_out)} (make test-runbooks)")


NO_LAB = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    booted = any(item.get_closest_marker(kind) for kind in BOOTED)
    if booted and report.skipped and item.config.getoption("lab_required") and not item.stash.get(NO_LAB, False):
        report.outcome = "failed"
        report.longrepr = f"skipped, though booted hosts can run here: {report.longrepr[2]}"
    return report


def _why_no_lab() -> Probe | None:
    from lab import booted, precheck
    from lab.paths import Paths

    probes = precheck.booted(Paths(), before_up=booted.owner_of_running_lab() is None)
    return precheck.first_problem(probes)
