from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import oracle
from cargo_build import Crate, Terms
from commands import Problem


class Builds:
    """Stands in for a build."""

    def __init__(self, problem: Problem | None = None) -> None:
        self.crates: list[tuple[Crate, Path, Terms]] = []
        self._problem = problem

    def __call__(self, crate: Crate, directory: Path, _progress: Any, terms: Terms) -> bool:
        self.crates.append((crate, directory, terms))
        if self._problem:
            raise self._problem
        return True


def place(monkeypatch: pytest.MonkeyPatch, *problems: str) -> None:
    monkeypatch.setattr(oracle.cargo_build.build_place, "look", lambda wanted: {"problems": list(problems)})


def test_the_seeds_programs_are_built_in_the_version_that_it_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    builds = Builds()
    monkeypatch.setattr(oracle.cargo_build, "build", builds)
    assert oracle.main([], tmp_path) == 0
    assert builds.crates == [(oracle.CRATE, tmp_path / "kaspa-p2p-lib-0.15.0", Terms(install=True))]
    assert capsys.readouterr().out == "oracle kaspa-p2p-lib-0.15.0: built\n"


def test_what_is_missing_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(oracle.cargo_build, "build", Builds(Problem("cargo is not installed", "install it", "tail\n")))
    assert oracle.main([], tmp_path) == 1
    assert capsys.readouterr().err == "tail\noracle: cargo is not installed; install it\n"


def test_where_they_cannot_be_built_they_are_left_out_if_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    builds = Builds()
    monkeypatch.setattr(oracle.cargo_build, "build", builds)
    place(monkeypatch, "cargo is not installed; install it", "no memory; buy some")
    assert oracle.obstacle(tmp_path) == "cargo is not installed; install it | no memory; buy some"
    assert oracle.main(["--if-possible"], tmp_path) == 0
    assert "left out, cargo is not installed" in capsys.readouterr().out
    place(monkeypatch)
    assert oracle.obstacle(tmp_path) is None
    assert oracle.main(["--if-possible"], tmp_path) == 0
    assert len(builds.crates) == 1


def test_programs_that_are_not_there_have_a_flaw(tmp_path: Path) -> None:
    assert oracle.flaw(tmp_path) == "not built"
