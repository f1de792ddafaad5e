"""Which hierarchies a machine has, and what is left of a directory that is removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import cgroups


def test_a_machine_with_cgroup2_alone(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    assert cgroups.unified(tmp_path) == tmp_path
    assert cgroups.hierarchies(tmp_path) == [tmp_path]


def test_a_machine_with_both(tmp_path: Path) -> None:
    for name in ("unified/cgroup.controllers", "systemd/cgroup.procs", "memory/cgroup.procs"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert cgroups.unified(tmp_path) == tmp_path / "unified"
    assert cgroups.hierarchies(tmp_path) == [tmp_path / "unified", tmp_path / "systemd"]


def test_a_machine_with_neither(tmp_path: Path) -> None:
    assert cgroups.unified(tmp_path) is None
    assert cgroups.hierarchies(tmp_path) == []


def test_directories_go_from_the_bottom_up(tmp_path: Path) -> None:
    (tmp_path / "lab/host/payload/system.slice").mkdir(parents=True)
    (tmp_path / "lab/host/supervisor").mkdir()
    cgroups.remove(tmp_path / "lab")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_needs_no_removal(tmp_path: Path) -> None:
    cgroups.remove(tmp_path / "lab")


def test_what_stays_is_named(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/file").touch()
    with pytest.raises(cgroups.LabError, match=f"cannot remove the cgroup {tmp_path}/lab: Directory not empty"):
        cgroups.remove(tmp_path / "lab", timeout=0)
