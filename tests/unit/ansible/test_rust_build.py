from __future__ import annotations

import hashlib
import json
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
import rust_build
from ansible.errors import AnsibleFilterError

HOST = {"arch": "x86_64", "libc": {"name": "glibc", "version": "2.36"}}
WANTED = {"crate": "c", "version": "1", "from": "controller", "programs": ["a", "b"], "sums": {}}
KEPT: dict[str, Any] = {
    "provenance": {"crate": "c", "version": "1", "from": "controller", "files": {"a": "1", "b": "2"}},
    "files": {"a": "1", "b": "2"},
}


def elf(machine: int = 62, loader: str = "/lib64/ld-linux-x86-64.so.2", versions: tuple[str, ...] = ()) -> bytes:
    """A program that has no code, but the headers that say where it runs."""
    texts = b"\0" + b"".join(text.encode() + b"\0" for text in versions)
    interpreter = loader.encode() + b"\0" if loader else b""
    at = 64 + 56
    entries = b""
    for number, text in enumerate(versions):
        step = 16 if number + 1 < len(versions) else 0
        entries += struct.pack("<IHHII", 0, 0, 0, texts.index(text.encode() + b"\0"), step)
    needs = struct.pack("<HHIII", 1, len(versions), 0, 16, 0) + entries
    text_at, needs_at = at + len(interpreter), at + len(interpreter) + len(texts)
    sections_at = needs_at + len(needs)
    sections = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, text_at, len(texts), 0, 0, 1, 0)
    if versions:
        sections += struct.pack("<IIQQQQIIQQ", 0, rust_build._VERSIONS_NEEDED, 0, 0, needs_at, len(needs), 0, 1, 4, 0)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, sections_at, 0, 64, 56, 1, 64, len(sections) // 64, 0)
    program = struct.pack("<IIQQQQQQ", 3 if loader else 1, 4, at, 0, 0, len(interpreter), len(interpreter), 1)
    return header + program + interpreter + texts + needs + sections


def misfits(directory: Path, content: bytes, host: dict[str, Any] | None = None) -> list[str]:
    (directory / "bin").mkdir()
    (directory / "bin" / "a").write_bytes(content)
    said = {"files": {"a": hashlib.sha256(content).hexdigest()}}
    (directory / "provenance.json").write_text(json.dumps(said))
    return rust_build.rust_build_misfits(str(directory), host or HOST, ["a"])


def test_a_program_that_the_host_can_run_fits(tmp_path: Path) -> None:
    assert misfits(tmp_path, elf(versions=("GLIBC_2.2.5", "GLIBC_2.34", "GCC_4.2.0"))) == []


def test_this_very_python_fits_this_machine(tmp_path: Path) -> None:
    program = shutil.which("ls") or sys.executable
    found = rust_build._program("ls", Path(program).read_bytes())
    assert found["arch"] in rust_build.MACHINES.values()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (elf(machine=183), "a is for aarch64, and the machine is x86_64; set rust_build_from: target"),
        (elf(machine=8), "a is for machine 8, and the machine is x86_64; set rust_build_from: target"),
        (elf(loader="/lib/ld-musl-x86_64.so.1"), "a needs musl, and the host has glibc"),
        (elf(versions=("GLIBC_2.4", "GLIBC_2.38", "GLIBC_2.9")), "a needs glibc 2.38, and the host has 2.36; build it"),
    ],
)
def test_what_cannot_run_there_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    assert [text[: len(problem)] for text in misfits(tmp_path, content)] == [problem]


def test_a_static_program_runs_with_any_libc(tmp_path: Path) -> None:
    assert misfits(tmp_path, elf(loader=""), {"arch": "x86_64", "libc": {"name": "", "version": ""}}) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"#!/bin/sh\n", "a is not a 64-bit program for Linux"),
        (elf()[:70], "a is damaged"),
        (elf(versions=("GLIBC_2.34",))[:-40], "a is damaged"),
    ],
)
def test_what_is_no_program_is_told(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(AnsibleFilterError, match=problem):
        misfits(tmp_path, content)


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text('{"files": {}}')
    with pytest.raises(AnsibleFilterError, match="a can't be read: No such file"):
        rust_build.rust_build_misfits(str(tmp_path), HOST, ["a"])


def test_a_program_that_is_not_that_of_its_provenance_is_not_pushed(tmp_path: Path) -> None:
    misfits(tmp_path, elf())
    (tmp_path / "bin" / "a").write_bytes(elf() + b"more")
    problems = rust_build.rust_build_misfits(str(tmp_path), HOST, ["a"])
    assert problems == [f"a in {tmp_path} is not the one of its provenance.json; remove that directory"]


def test_a_builder_of_another_kind_is_told_before_the_build() -> None:
    other = {"arch": "aarch64", "libc": HOST["libc"]}
    musl = {"arch": "x86_64", "libc": {"name": "musl", "version": ""}}
    assert rust_build.rust_build_strangers(HOST, HOST) == []
    assert rust_build.rust_build_strangers(HOST, other)[0].startswith("the machine is aarch64, and that of the builder")
    assert rust_build.rust_build_strangers(HOST, musl)[0].startswith("the C library is musl, and that of the builder")


def test_what_is_kept_as_wanted_is_not_stale() -> None:
    assert rust_build.rust_build_stale(KEPT, WANTED) == ""
    assert rust_build.rust_build_stale(KEPT, {**WANTED, "sums": {"a": "1", "b": "2"}}) == ""


@pytest.mark.parametrize(
    ("kept", "wanted", "reason"),
    [
        ({}, {}, "nothing is there"),
        ({"provenance": {}, "files": {}}, {}, "provenance.json can't be read"),
        (KEPT, {"version": "2"}, "version is 1, and 2 is wanted"),
        (KEPT, {"from": "target"}, "from is controller, and target is wanted"),
        (KEPT, {"programs": ["a"]}, "it holds a, b"),
        ({**KEPT, "files": {"a": "1", "b": None}}, {}, "b changed"),
        (KEPT, {"sums": {"a": "1", "b": "3"}}, "b changed"),
    ],
)
def test_what_is_not_as_wanted_is_told(kept: dict[str, Any], wanted: dict[str, Any], reason: str) -> None:
    assert rust_build.rust_build_stale(kept, {**WANTED, **wanted}) == reason
