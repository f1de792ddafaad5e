"""Checks whether built programs are the wanted ones, and whether they can run on a host."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

MACHINES = {62: "x86_64", 183: "aarch64"}
"""e_machine of ELF (elf.h) → the name from `uname -m`."""

_INTERPRETER = 3  # PT_INTERP
_VERSIONS_NEEDED = 0x6FFFFFFE  # SHT_GNU_verneed


def rust_build_stale(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Why the programs on a host are not the wanted ones; "" if they are.

    kept: the result of build_place.py; wanted: crate, version, programs, from, and optional sums (program → SHA-256).
    """
    if not kept:
        return "nothing is there"
    said = kept["provenance"]
    if not said:
        return "provenance.json can't be read"
    for name in ("crate", "version", "from"):
        if said.get(name) != wanted[name]:
            return f"{name} is {said.get(name)}, and {wanted[name]} is wanted"
    if set(said["files"]) != set(wanted["programs"]):
        return f"it holds {', '.join(said['files'])}"
    sums = wanted.get("sums") or said["files"]
    changed = [name for name, digest in kept["files"].items() if digest != sums[name]]
    return f"{', '.join(changed)} changed" if changed else ""


def rust_build_misfits(directory: str, host: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Why programs in a directory are not those of its provenance.json, or can't run on a host: `problem; remedy`.

    host: arch and libc, from build_place.py.
    """
    sums = json.loads(_content(Path(directory, "provenance.json")))["files"]
    found = []
    for name in names:
        content = _content(Path(directory, "bin", name))
        if hashlib.sha256(content).hexdigest() != sums.get(name):
            found.append(f"{name} in {directory} is not the one of its provenance.json; remove that directory")
        else:
            found += _misfits(name, _program(name, content), host)
    return found


def rust_build_strangers(builder: Mapping[str, Any], host: Mapping[str, Any]) -> list[str]:
    """Why programs of one machine can't run on another, checked before the build: `problem; remedy`."""
    for kind, one, other in (
        ("machine", builder["arch"], host["arch"]),
        ("C library", builder["libc"]["name"] or "unknown", host["libc"]["name"] or "unknown"),
    ):
        if one != other:
            return [f"the {kind} is {other}, and that of the builder {one}; set rust_build_from: target"]
    return []


def _misfits(name: str, program: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[str]:
    if program["arch"] != host["arch"]:
        yield f"{name} is for {program['arch']}, and the machine is {host['arch']}; set rust_build_from: target"
        return
    found = host["libc"]
    if program["libc"] == "none":
        return
    if program["libc"] != found["name"]:
        yield f"{name} needs {program['libc']}, and the host has {found['name'] or 'another C library'}"
    elif program["needs"] and _number(program["needs"]) > _number(found["version"]):
        yield (
            f"{name} needs glibc {program['needs']}, and the host has {found['version']}; build it on a system as old "
            "as the host (rust_build_from: host), or on the host itself (rust_build_from: target)"
        )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AnsibleFilterError(f"{path} can't be read: {error.strerror}") from error


def _program(name: str, content: bytes) -> dict[str, str]:
    """Of an ELF program: arch, libc (glibc, musl, or none if it is static), needs (the newest glibc symbols)."""
    if content[:6] != b"\x7fELF\x02\x01":
        raise AnsibleFilterError(f"{name} is not a 64-bit program for Linux")
    try:
        (machine,) = struct.unpack_from("<H", content, 18)
        loader = _loader(content)
        libc = "none" if not loader else "musl" if "musl" in loader else "glibc"
        needs = max(_glibc_symbols(content), key=_number, default="")
        return {"arch": MACHINES.get(machine, f"machine {machine}"), "libc": libc, "needs": needs}
    except (struct.error, IndexError, ValueError) as error:
        raise AnsibleFilterError(f"{name} is damaged: its ELF headers point outside of it") from error


def _loader(content: bytes) -> str:
    """The program's interpreter (PT_INTERP), "" of a static one."""
    start, size, count = (*struct.unpack_from("<Q", content, 32), *struct.unpack_from("<HH", content, 54))[:3]
    for at in range(start, start + size * count, size):
        if struct.unpack_from("<I", content, at)[0] == _INTERPRETER:
            offset, length = struct.unpack_from("<Q", content, at + 8)[0], struct.unpack_from("<Q", content, at + 32)[0]
            return content[offset : offset + length].rstrip(b"\0").decode()
    return ""


def _glibc_symbols(content: bytes) -> Iterator[str]:
    """The versions of glibc's symbols that a program needs (.gnu.version_r)."""
    (start,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, start + size * number) for number in range(count)]
    for _, kind, _, _, offset, _, link, entries, _, _ in sections:
        if kind != _VERSIONS_NEEDED:
            continue
        texts = sections[link][4]
        for _ in range(entries):
            _, number, _, first, following = struct.unpack_from("<HHIII", content, offset)
            at = offset + first
            for _ in range(number):
                _, _, _, name, step = struct.unpack_from("<IHHII", content, at)
                text = content[texts + name : content.index(b"\0", texts + name)].decode()
                if text.startswith("GLIBC_2."):
                    yield text.removeprefix("GLIBC_")
                at += step
            offset += following


class FilterModule:
    """The interface of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → filter."""
        return {
            "rust_build_stale": rust_build_stale,
            "rust_build_misfits": rust_build_misfits,
            "rust_build_strangers": rust_build_strangers,
        }
