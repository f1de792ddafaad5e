from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import environment
import locks
from commands import ROOT


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where an environment would be made, with the steps recorded instead of done."""
    steps: list[str] = []

    def step(name: str) -> Callable[[object], None]:
        return lambda _: steps.append(name)

    for name in ("PACKAGES", "PROJECT", "COLLECTIONS"):
        monkeypatch.setattr(environment, f"_{name}_STAMP", tmp_path / name)
        monkeypatch.setattr(environment, f"_install_{name.lower()}", step(name.lower()))
    monkeypatch.setattr(environment, "_create", step("create"))
    monkeypatch.setattr(environment, "_works", lambda: "create" in steps)
    return steps


def test_everything_is_made_once(made: list[str]) -> None:
    environment.ensure(progress=None)  # type: ignore[arg-type]
    assert sorted(made) == ["collections", "create", "packages", "project"]
    environment.ensure(progress=None)  # type: ignore[arg-type]
    assert len(made) == 4


def test_what_a_changed_lock_concerns_is_made_again(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.ensure(progress=None)  # type: ignore[arg-type]
    made[1:] = []
    lock = tmp_path / "controller.txt"
    lock.write_text("other")
    monkeypatch.setattr(locks, "CONTROLLER", lock)
    environment.ensure(progress=None)  # type: ignore[arg-type]
    assert made[1:] == ["packages", "project"]


def test_a_failed_step_is_done_again_the_next_time(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(progress: object) -> None:
        raise KeyError("no network")

    with monkeypatch.context() as broken:
        broken.setattr(environment, "_install_collections", fails)
        with pytest.raises(KeyError):
            environment.ensure(progress=None)  # type: ignore[arg-type]
    environment.ensure(progress=None)  # type: ignore[arg-type]
    assert made.count("packages") == 1
    assert made.count("collections") == 1


def test_the_list_for_galaxy_names_what_setup_unzips() -> None:
    listed = yaml.safe_load((ROOT / "ansible" / "requirements.yml").read_text())["collections"]
    assert {entry["name"].replace(".", "/") for entry in listed} == set(environment.WANTED_COLLECTIONS)
    for entry in listed:
        place = environment.COLLECTIONS / "ansible_collections" / entry["name"].replace(".", "/") / "MANIFEST.json"
        assert json.loads(place.read_text())["collection_info"]["version"] == entry["version"]
