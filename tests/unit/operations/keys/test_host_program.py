"""One key for another on a host: whole at every moment, and the old one destroyed, wherever it was interrupted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from operations.keys import host_program
from operations.keys.host_program import Place

RECORD = {"old": "A", "new": "B"}


class Stop(Exception):
    """The power went."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a key, and the next one made, as kaspa-node does."""
    (tmp_path / "identity.key").write_text("old key")
    (tmp_path / "rotation").mkdir()
    (tmp_path / "rotation" / "identity.key").write_text("new key")
    return tmp_path


def run(*words: str) -> subprocess.CompletedProcess[str]:
    source = Path(host_program.__file__).read_text(encoding="utf-8")
    argv = [sys.executable, "-I", "-c", source, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_it_runs_from_its_text_alone(state: Path) -> None:
    done = run("look", str(state))
    assert json.loads(done.stdout) == {"key": True, "next": True, "old": False, "record": None}


def test_a_rotation_leaves_the_new_key_and_nothing_else(state: Path) -> None:
    for words in (("begin", str(state), json.dumps(RECORD)), ("swap", str(state))):
        assert run(*words).returncode == 0
    assert json.loads(run("look", str(state)).stdout) == {"key": True, "next": False, "old": False, "record": RECORD}
    assert run("end", str(state)).returncode == 0
    assert (state / "identity.key").read_text() == "new key"
    assert [path.name for path in state.iterdir()] == ["identity.key"]


def test_what_can_not_be_done_is_one_line(state: Path) -> None:
    (state / "rotation" / "identity.key").unlink()
    (state / "rotation").rmdir()
    done = run("begin", str(state), json.dumps(RECORD))
    assert done.returncode == 1
    assert done.stderr == f"{state}/rotation/record.new: no such file or directory\n"


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """The step of that number, of those that change something on the disk, ends the program."""
    left = after

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def step(*words: object, **options: object) -> object:
            nonlocal left
            if left == 0:
                raise Stop
            left -= 1
            return function(*words, **options)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", counted(os.link))
        patch.setattr(os, "fsync", counted(os.fsync))
        patch.setattr(os, "urandom", counted(os.urandom))
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        yield


@pytest.mark.parametrize("after", range(9))
def test_it_goes_on_after_an_interruption_at_any_point(
    state: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    Place(str(state)).begin(RECORD)
    with interrupted(monkeypatch, after), suppress(Stop):
        Place(str(state)).swap()
    assert (state / "identity.key").read_text() in ("old key", "new key")
    Place(str(state)).swap()
    assert (state / "identity.key").read_text() == "new key"
    assert not (state / "rotation" / "old.key").exists()
    Place(str(state)).end()
    assert [path.name for path in state.iterdir()] == ["identity.key"]


def test_the_old_keys_bytes_are_overwritten(state: Path) -> None:
    with (state / "identity.key").open("rb") as still_open:
        Place(str(state)).swap()
        assert still_open.read() != b"old key"


def test_a_key_in_use_is_never_overwritten(state: Path) -> None:
    os.link(state / "identity.key", state / "rotation" / "old.key")
    host_program.destroy(state / "rotation" / "old.key")
    assert (state / "identity.key").read_text() == "old key"
