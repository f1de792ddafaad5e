from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import cargo_build
from cargo_build import Crate, Terms
from commands import Problem
from progress import Progress

CRATE = Crate("greeter", "1.2.3", ("hello", "goodbye"))
PLACE = {
    "arch": "x86_64",
    "libc": {"name": "glibc", "version": "2.36"},
    "missing": [],
    "cargo": {"path": "/somewhere/bin/cargo", "version": "cargo 1.95.0", "rustc": "rustc 1.95.0"},
    "problems": [],
}


def quiet() -> Progress:
    return Progress(io.StringIO())


class Cargo:
    """Stands in for cargo and its kin; leaves programs as `cargo install` would."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.environ: dict[str, str] = {}

    def __call__(self, command: list[Any], **rest: Any) -> str:
        words = [str(word) for word in command]
        self.calls.append(words)
        if "install" in words:
            self.environ = rest["env"]
            root = Path(words[words.index("--root") + 1])
            (root / "bin").mkdir()
            for name in CRATE.programs:
                (root / "bin" / name).write_bytes(name.encode())
            rest["on_line"]("   Compiling h2 v0.4.6")
        return f"{words[0]} 1.0\n"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found = dict(PLACE)
    monkeypatch.setattr(cargo_build.build_place, "look", lambda wanted: found)
    return found


@pytest.fixture
def cargo(monkeypatch: pytest.MonkeyPatch, place: dict[str, Any]) -> Cargo:
    found = Cargo()
    monkeypatch.setattr(cargo_build, "run", found)
    return found


def test_a_second_call_builds_nothing(cargo: Cargo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cargo_build.build(CRATE, out, quiet(), Terms())
    kept = json.loads((out / "provenance.json").read_text())
    assert (kept["crate"], kept["version"], kept["rustc"]) == ("greeter", "1.2.3", "rustc 1.95.0")
    assert (kept["machine"], kept["libc"]) == ("x86_64", "glibc 2.36")
    assert set(kept["files"]) == {"hello", "goodbye"}
    calls = len(cargo.calls)
    assert not cargo_build.build(CRATE, out, quiet(), Terms())
    assert len(cargo.calls) == calls


def test_it_is_locked_and_of_one_version_and_by_the_cargo_that_was_found(cargo: Cargo, tmp_path: Path) -> None:
    cargo_build.build(CRATE, tmp_path / "out", quiet(), Terms(jobs=1))
    words = cargo.calls[0]
    assert "--locked" in words
    assert words[words.index("--version") + 1] == "1.2.3"
    assert words[words.index("--jobs") + 1] == "1"
    assert [words[at + 1] for at, word in enumerate(words) if word == "--bin"] == ["hello", "goodbye"]
    assert "/somewhere/bin/cargo" in words
    assert cargo.environ["PATH"].startswith("/somewhere/bin:")


def test_a_program_that_was_changed_is_built_again(cargo: Cargo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cargo_build.build(CRATE, out, quiet(), Terms())
    (out / "bin" / "hello").write_bytes(b"other")
    assert cargo_build.flaw(out, CRATE) == "hello is not the one that was built"
    assert cargo_build.build(CRATE, out, quiet(), Terms())
    assert cargo_build.flaw(out, CRATE) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1}'])
def test_a_damaged_provenance_counts_as_none(cargo: Cargo, tmp_path: Path, text: str) -> None:
    out = tmp_path / "out"
    cargo_build.build(CRATE, out, quiet(), Terms())
    (out / "provenance.json").write_text(text)
    assert cargo_build.flaw(out, CRATE) == "provenance.json can't be read"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (Crate("greeter", "1.2.4", ("hello",)), "it holds greeter 1.2.3"),
        (Crate("greeter", "1.2.3", ("hello", "bow")), "bow was not built"),
    ],
)
def test_what_was_built_of_another_is_not_it(cargo: Cargo, tmp_path: Path, other: Crate, reason: str) -> None:
    cargo_build.build(CRATE, tmp_path / "out", quiet(), Terms())
    assert cargo_build.flaw(tmp_path / "out", other) == reason


def test_a_place_that_is_unfit_is_told_before_anything_is_done(
    cargo: Cargo, place: dict[str, Any], tmp_path: Path
) -> None:
    place["problems"] = ["no memory; buy some", "no disk; make room"]
    with pytest.raises(Problem, match=r"can't be built here: no memory; buy some \| no disk"):
        cargo_build.build(CRATE, tmp_path / "out", quiet(), Terms())
    assert cargo.calls == []


def test_packages_are_installed_only_where_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, cargo: Cargo, place: dict[str, Any], tmp_path: Path
) -> None:
    installed: list[str] = []
    monkeypatch.setattr("debian.install", installed.extend)
    place["missing"] = ["protobuf-compiler"]
    with pytest.raises(Problem, match="sudo apt-get install protobuf-compiler"):
        cargo_build.build(CRATE, tmp_path / "out", quiet(), Terms())
    assert cargo_build.build(CRATE, tmp_path / "out", quiet(), Terms(install=True))
    assert installed == ["protobuf-compiler"]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            "  Compiling x\nerror: could not find `greeter` in registry\n",
            "1.2.3; error: could not find `greeter` in registry; see",
        ),
        ("(signal: 9, SIGKILL: kill)\n", "1.2.3; a compiler was killed, as the kernel does for want of memory"),
        ("", "1.2.3; see the lines above"),
    ],
)
def test_why_cargo_failed_stands_in_the_last_line(
    monkeypatch: pytest.MonkeyPatch, place: dict[str, Any], tmp_path: Path, output: str, said: str
) -> None:
    def fails(command: Any, **rest: Any) -> str:
        raise Problem("it failed", output=output)

    monkeypatch.setattr(cargo_build, "run", fails)
    with pytest.raises(Problem) as failed:
        cargo_build.build(CRATE, tmp_path / "out", quiet(), Terms())
    assert said in str(failed.value)


def test_progress_counts_what_is_compiled() -> None:
    count = cargo_build.Count(Crate("kaspa-p2p-lib", "0.15.0", ()))
    assert count.line("    Updating index") == "0 of 291 crates, updating index"
    assert count.line("   Compiling h2 v0.4.6") == "1 of 291 crates, compiling h2 v0.4.6"
    other = cargo_build.Count(CRATE)
    assert other.line("   Compiling libc v0.2.1") == "1 crates, compiling libc v0.2.1"


def test_the_command_line_says_what_came_of_it(
    cargo: Cargo, place: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--crate", "greeter", "--version", "1.2.3", "--out", str(tmp_path / "out")]
    words += ["--program", "hello", "--program", "goodbye"]
    assert cargo_build.main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "cargo greeter-1.2.3: built"
    assert cargo_build.main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "cargo greeter-1.2.3: unchanged"
    place["problems"] = ["no memory; buy some"]
    assert cargo_build.main([*words, "--program", "bow"]) == 1
    assert "no memory; buy some" in capsys.readouterr().err
