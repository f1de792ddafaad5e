"""Fabric's tasks end where Ansible ends: at the same server, as the same user, with the same rights, or refused."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from lab import base, precheck
from lab.paths import Paths
from tests.ssh import scene
from tests.ssh.row import REFUSED, Row
from tests.ssh.table import ROWS

ALL = os.environ.get("KASPA_SSH_ROWS") == "all"
CHOSEN = ROWS if ALL else ROWS[::3]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Where both programs ended in each row, all rows at once."""
    problem = precheck.first_problem(precheck.booted(Paths(), before_up=False))
    if problem is not None:
        pytest.skip(f"servers with users of their own can't run here: {problem.name}: {problem.remedy}")
    results = tmp_path_factory.mktemp("ssh") / "results.json"
    return scene.run(base.ensure(Paths().bases), results, [row.name for row in CHOSEN])


def openssh() -> tuple[int, ...]:
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2])


def expected(row: Row) -> str:
    old = row.since and openssh() < tuple(map(int, row.since.split(".")))
    return REFUSED if old else row.ends


@pytest.mark.parametrize("row", CHOSEN, ids=[row.name for row in CHOSEN])
def test_fab_ends_where_ansible_ends(row: Row, ended: dict[str, dict[str, str]]) -> None:
    found = ended[row.name]
    assert found["ansible"] == expected(row), found["ansible_said"]
    if not row.unlike:
        assert found["fab"] == found["ansible"], found["fab_said"]
        return
    assert found["fab"] == REFUSED, found["fab_said"]
    assert re.search(row.unlike, found["fab_said"].removeprefix(f"{row.name}: "))
    assert len(found["fab_said"].splitlines()) == 1


def test_names_of_rows_are_unique() -> None:
    names = [row.name for row in ROWS]
    assert sorted(set(names)) == sorted(names)
