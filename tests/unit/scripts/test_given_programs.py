from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import given_programs

CONTENT = b"a program"
SUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source"
    file.write_bytes(CONTENT)
    return file


def take(out: Path, source: Path | str, sha256: str = SUM) -> int:
    words = ["--crate", "kaspad", "--version", "1.0.1", "--out", str(out), "--file", "kaspad", str(source), sha256]
    return given_programs.main(words)


def test_a_program_is_taken_once(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert take(out, source) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "given kaspad-1.0.1: taken"
    assert (out / "bin" / "kaspad").read_bytes() == CONTENT
    assert (out / "bin" / "kaspad").stat().st_mode & 0o777 == 0o755
    assert take(out, source, SUM.upper()) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "given kaspad-1.0.1: unchanged"


def test_what_was_changed_since_is_taken_again(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    take(out, source)
    (out / "bin" / "kaspad").write_bytes(b"another")
    assert take(out, source) == 0
    assert (out / "bin" / "kaspad").read_bytes() == CONTENT


def test_a_program_with_another_sum_is_not_kept(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert take(tmp_path / "out", source, "0" * 64) == 1
    said = capsys.readouterr().err
    assert f"has the SHA-256 {SUM}, and {'0' * 64} was given" in said
    assert not (tmp_path / "out" / "bin" / "kaspad").exists()
    assert not (tmp_path / "out" / "provenance.json").exists()


@pytest.mark.parametrize("source", ["nowhere", "http://", "https://127.0.0.1:0/x"])
def test_a_source_that_cannot_be_had_is_named(tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / source if source == "nowhere" else source
    assert take(tmp_path / "out", place) == 1
    assert f"{place} can't be had: " in capsys.readouterr().err
