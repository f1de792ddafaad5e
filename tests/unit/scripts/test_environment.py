from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import environment
import locks


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where an environment would be made, with the steps recorded instead of done."""
    steps: list[str] = []

    def step(name: str) -> Callable[[object], None]:
        return lambda _: steps.append(name)

    for name in ("PACKAGES", "PROJECT"):
        monkeypatch.setattr(environment, f"_{name}_STAMP", tmp_path / name)
        monkeypatch.setattr(environment, f"_install_{name.lower()}", step(name.lower()))
    monkeypatch.setattr(environment, "_create", step("create"))
    monkeypatch.setattr(environment, "_works", lambda: "create" in steps)
    return steps


def test_everything_is_made_once(made: list[str]) -> None:
    environment.ensure(progress=None)  # type: ignore[arg-type]
    assert sorted(made) == ["create", "packages", "project"]
    environment.ensure(progress=None)  # type: ignore[arg-type]
    assert len(made) == 3


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
        broken.setattr(environment, "_install_project", fails)
        with pytest.raises(KeyError):
            environment.ensure(progress=None)  # type: ignore[arg-type]
    environment.ensure(progress=None)  # type: ignore[arg-type]
    assert made.count("packages") == 1
    assert made.count("project") == 1
