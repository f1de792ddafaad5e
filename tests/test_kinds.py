from __future__ import annotations

from pathlib import Path

import pytest

from tests import conftest


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
    assert order == ["unit", "network", "hostile", "interop", "nat", "local", "soak", "lab", "runbook"]
    limits = [conftest.TIME_LIMITS[kind] for kind in order]
    assert limits == sorted(limits)
