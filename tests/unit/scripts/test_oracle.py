from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import oracle
from commands import Problem
from progress import Progress


def quiet() -> Progress:
    return Progress(io.StringIO())


class Cargo:
    """Stands in for cargo and its kin; leaves programs as `cargo install` would."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, command: list[Any], **rest: Any) -> str:
        words = [str(word) for word in command]
        self.calls.append(words)
        if "install" in words:
            root = Path(words[words.index("--root") + 1])
            (root / "bin").mkdir()
            for name in oracle.PROGRAMS:
                (root / "bin" / name).write_bytes(name.encode())
            rest["on_line"]("   Compiling h2 v0.4.6")
        return f"{words[0]} 1.0\n"


@pytest.fixture
def cargo(monkeypatch: pytest.MonkeyPatch) -> Cargo:
    found = Cargo()
    monkeypatch.setattr(oracle, "run", found)
    monkeypatch.setattr(oracle.shutil, "which", lambda tool: f"/bin/{tool}")
    return found


def test_a_second_call_builds_nothing(cargo: Cargo, tmp_path: Path) -> None:
    assert oracle.build(quiet(), base=tmp_path)
    kept = json.loads((oracle.place(base=tmp_path) / "provenance.json").read_text())
    assert (kept["crate"], kept["version"], kept["rustc"]) == ("kaspa-p2p-lib", "0.15.0", "rustc 1.0")
    assert set(kept["files"]) == set(oracle.PROGRAMS)
    calls = len(cargo.calls)
    assert not oracle.build(quiet(), base=tmp_path)
    assert len(cargo.calls) == calls


def test_it_is_locked_and_of_one_version(cargo: Cargo, tmp_path: Path) -> None:
    oracle.build(quiet(), base=tmp_path)
    words = next(words for words in cargo.calls if "install" in words)
    assert "--locked" in words
    assert words[words.index("--version") + 1] == "0.15.0"


def test_a_program_that_was_changed_is_built_again(cargo: Cargo, tmp_path: Path) -> None:
    oracle.build(quiet(), base=tmp_path)
    directory = oracle.place(base=tmp_path)
    (directory / "bin" / oracle.PROGRAMS[0]).write_bytes(b"other")
    assert oracle.flaw(directory) == f"{oracle.PROGRAMS[0]} is not the one that was built"
    assert oracle.build(quiet(), base=tmp_path)
    assert oracle.flaw(directory) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1}'])
def test_a_damaged_provenance_counts_as_none(cargo: Cargo, tmp_path: Path, text: str) -> None:
    oracle.build(quiet(), base=tmp_path)
    (oracle.place(base=tmp_path) / "provenance.json").write_text(text)
    assert oracle.flaw(oracle.place(base=tmp_path)) == "provenance.json can't be read"


@pytest.mark.parametrize(("absent", "remedy"), [("cargo", "rust-lang.org"), ("protoc", "protobuf-compiler")])
def test_what_is_missing_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, absent: str, remedy: str
) -> None:
    monkeypatch.setattr(oracle.shutil, "which", lambda tool: None if tool == absent else f"/bin/{tool}")
    monkeypatch.setattr(oracle.os, "geteuid", lambda: 1000)
    with pytest.raises(Problem, match=remedy):
        oracle.build(quiet(), base=tmp_path)
    assert oracle.main([], tmp_path) == 1
    assert remedy in capsys.readouterr().err
    assert oracle.main(["--if-possible"], tmp_path) == 0
    assert "left out" in capsys.readouterr().out
