from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import build_place

MEMINFO = "MemTotal: 4000000 kB\nMemAvailable:  1024000 kB\nSwapTotal: 4096 kB\nSwapFree:  2048 kB\n"
FOUND: dict[str, Any] = {
    "arch": "x86_64",
    "root": True,
    "debian": True,
    "systemd": True,
    "memory": 4000,
    "disk": 9000,
    "missing": [],
    "building": False,
    "cargo": {"path": "/usr/bin/cargo"},
}


def said(wanted: dict[str, Any], **found: Any) -> list[str]:
    return build_place.problems({**FOUND, **found}, {"work": "/var/lib/x", "oldest": "1.81.0", **wanted})


def test_memory_is_what_programs_can_still_have() -> None:
    assert build_place.memory(MEMINFO) == 1002
    assert build_place.memory("") == 0


def test_a_place_that_is_fit_has_no_problems() -> None:
    assert said({"memory": 1500, "disk": 2500}) == []


@pytest.mark.parametrize(
    ("wanted", "found", "problem"),
    [
        ({"memory": 1500}, {"memory": 700}, "700 MiB of memory and swap are free, and the build needs 1500: "),
        ({"disk": 2500}, {"disk": 100}, "100 MiB of disk are free below /var/lib/x, and the build needs 2500; make"),
        ({}, {"cargo": None}, "cargo and rustc 1.81.0 or newer are not installed; they come with Rust"),
        ({"rustup": True}, {"cargo": None, "arch": "riscv64"}, "the machine is riscv64, and rustup is pinned for x86"),
        ({}, {"missing": ["gcc"], "root": False}, "gcc missing; sudo apt-get install gcc"),
        ({"foreign": True}, {"systemd": False}, "systemd is not running, and the build would end with the connection"),
    ],
)
def test_what_would_end_a_build_is_told_with_its_figures(
    wanted: dict[str, Any], found: dict[str, Any], problem: str
) -> None:
    assert [text[: len(problem)] for text in said(wanted, **found)] == [problem]


@pytest.mark.parametrize("found", [{"memory": 0}, {"missing": ["gcc"]}, {"memory": 9, "disk": 9, "building": True}])
def test_what_is_unknown_or_can_be_mended_is_no_problem(found: dict[str, Any]) -> None:
    assert said({"memory": 1500, "disk": 2500}, **found) == []


def test_a_toolchain_that_rustup_can_bring_is_no_problem() -> None:
    assert said({"rustup": True}, cargo=None) == []


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n", (1, 95, 0)),
        ("rustc 1.63.0", (1, 63, 0)),
        ("rustc 1.97.0-nightly (abc 2026-05-01)", None),
        ("error: no toolchain", None),
        ("", None),
    ],
)
def test_versions(text: str, version: tuple[int, int, int] | None) -> None:
    assert build_place.version(text) == version


def tools(directory: Path, number: str, rustc: str = "") -> Path:
    directory.mkdir(parents=True)
    for name in ("cargo", "rustc"):
        program = directory / name
        program.write_text(f"#!/bin/sh\necho {name} {rustc if name == 'rustc' and rustc else number}\n")
        program.chmod(0o755)
    return directory / "cargo"


def test_the_first_toolchain_that_is_new_enough_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tools(tmp_path / "old", "1.63.0")
    new = tools(tmp_path / "work" / "rustup" / "toolchains" / "1.95.0" / "bin", "1.95.0")
    monkeypatch.setattr(build_place.shutil, "which", lambda name: str(old))
    found = build_place.toolchain(str(tmp_path / "work"), {"oldest": "1.81.0"})
    assert found == {"path": str(new), "version": "cargo 1.95.0", "rustc": "rustc 1.95.0"}


def test_what_rustup_brought_is_found_by_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    new = tools(tmp_path / "rustup" / "toolchains" / "1.95.0" / "bin", "1.95.0")
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path / "rustup"))
    found = build_place.toolchain(str(tmp_path / "elsewhere"), {"oldest": "1.81.0"})
    assert found is not None
    assert found["path"] == str(new)


def test_one_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    new = tools(tmp_path / "work" / "rustup" / "toolchains" / "1.95.0" / "bin", "1.95.0")
    old = tools(tmp_path / "old", "1.63.0")
    assert build_place.toolchain(str(tmp_path / "work"), {"oldest": "1.81.0", "cargo": str(old)}) is None
    assert build_place.toolchain(str(tmp_path), {"oldest": "1.81.0", "cargo": str(new)})


def test_a_cargo_with_an_old_rustc_will_not_do(tmp_path: Path) -> None:
    mixed = tools(tmp_path / "bin", "1.95.0", rustc="1.63.0")
    assert build_place.toolchain(str(tmp_path), {"oldest": "1.81.0", "cargo": str(mixed)}) is None


def test_for_another_user_it_must_be_within_reach(tmp_path: Path) -> None:
    program = tools(tmp_path / "home" / "bin", "1.95.0")
    (tmp_path / "home").chmod(0o700)
    assert build_place.toolchain(str(tmp_path), {"cargo": str(program)})
    assert build_place.toolchain(str(tmp_path), {"cargo": str(program), "foreign": True}) is None
    assert not build_place.reachable(tmp_path / "nowhere")


def test_packages_count_as_there_when_their_program_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        build_place.shutil, "which", lambda name: f"/bin/{name}" if name in ("cc", "dpkg-query") else None
    )
    monkeypatch.setattr(build_place, "_output", lambda command: "installed libc6-dev\nconfig-files clang\n")
    assert build_place.missing(["gcc", "libc6-dev", "clang", "protobuf-compiler"]) == ["clang", "protobuf-compiler"]


def test_without_dpkg_only_programs_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_place.shutil, "which", lambda name: None)
    assert build_place.missing(["gcc", "libc6-dev"]) == ["gcc"]


def test_what_is_kept_is_read_with_the_sums_as_they_are_now(tmp_path: Path) -> None:
    assert build_place.kept(tmp_path) == {}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "hello").write_bytes(b"hello")
    (tmp_path / "provenance.json").write_text('{"crate": "x", "files": {"hello": "1", "gone": "2"}}')
    sum_ = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert build_place.kept(tmp_path)["files"] == {"hello": sum_, "gone": None}


def test_it_stands_alone_and_prints_what_it_found(tmp_path: Path) -> None:
    script = tmp_path / "alone.py"
    script.write_text(Path(build_place.__file__).read_text(encoding="utf-8"))
    wanted = json.dumps({"destination": str(tmp_path), "work": str(tmp_path / "not" / "there")})
    done = subprocess.run([sys.executable, "-I", script, wanted], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["kept"], found["cargo"], found["problems"]) == ({}, None, [])
    assert found["disk"] > 0
