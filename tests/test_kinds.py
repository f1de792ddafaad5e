from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.paths import Paths
from lab.precheck import booted, first_problem
from tests import conftest
from tests.playbooks import ROOT


def unmarked(marker: str) -> None:
    return None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("unit/kaspa/test_session.py", "unit"),
        ("test_house.py", "unit"),
        ("integration/test_punch.py", "network"),
        ("hostile/test_frames.py", "hostile"),
        ("interop/test_rust.py", "interop"),
        ("local/test_deploy.py", "local"),
        ("ssh/test_as_ansible.py", "ssh"),
        ("soak/test_soak.py", "soak"),
        ("lab/test_deploy.py", "lab"),
        ("runbooks/test_pages.py", "runbook"),
        ("unit/lab/test_hosts.py", "unit"),
    ],
)
def test_the_directory_gives_the_kind(path: str, kind: str) -> None:
    assert conftest.kind_of(conftest.HERE / path, unmarked) == kind


def test_a_marker_goes_before_the_directory() -> None:
    assert conftest.kind_of(conftest.HERE / "unit/test_x.py", lambda marker: marker == "network") == "network"


def test_a_test_from_elsewhere_is_a_unit_test() -> None:
    assert conftest.kind_of(Path("/elsewhere/test_x.py"), unmarked) == "unit"


def test_fast_kinds_run_first_and_every_kind_has_a_time_limit() -> None:
    order = sorted(conftest.TIME_LIMITS, key=conftest.rank)
    assert order == ["unit", "network", "hostile", "interop", "nat", "local", "ssh", "soak", "lab", "runbook"]
    limits = [conftest.TIME_LIMITS[kind] for kind in order]
    assert limits == sorted(limits)


def run_pytest(directory: Path, test: str, *options: str) -> str:
    """What pytest prints for one file with these tests, with this project's hooks."""
    (directory / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "--noconftest", "-ra"]
    done = subprocess.run(
        [*command, f"--rootdir={ROOT}", "-c", ROOT / "pyproject.toml", directory / "test_it.py", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


LAB_TEST = """
import pytest

@pytest.mark.lab
def test_something_on_booted_hosts():
    pytest.skip("its programs are missing")
"""


def test_a_skipped_test_of_the_lab_is_a_failure_if_the_lab_is_required_and_can_run(tmp_path: Path) -> None:
    assert "1 skipped" in run_pytest(tmp_path, LAB_TEST)
    required = run_pytest(tmp_path, LAB_TEST, "--lab-required")
    problem = first_problem(booted(Paths(), before_up=False))
    if problem is not None and problem.of_machine:
        assert "1 skipped" in required
    else:
        assert "1 failed" in required
        assert "skipped, though booted hosts can run here: Skipped: its programs are missing" in required
