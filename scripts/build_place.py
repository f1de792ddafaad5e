"""Examines a machine where cargo builds, or where programs are installed, and lists its problems.

Needs only the standard library: it runs on the controller, and on hosts that have nothing else of ours yet.

    python3 build_place.py WANTED      WANTED is a JSON object as in `look`; prints the result as JSON
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MIB = 1 << 20
TRIPLES = {name: f"{name}-unknown-linux-gnu" for name in ("x86_64", "aarch64")}
"""Machine → the toolchain's name for it, for the machines with a pinned rustup-init."""

# Programs of packages that may also be installed without Debian's packages.
_PROGRAMS = {"gcc": "cc", "protobuf-compiler": "protoc", "cmake": "cmake", "clang": "clang", "g++": "c++"}
_VERSION = re.compile(r"^(?:cargo|rustc) (\d+)\.(\d+)\.(\d+)(-\S+)?")


def look(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The state of the machine: arch, libc, root, systemd, debian, memory and disk (MiB), missing (packages), cargo,
    building, kept, problems.

    wanted, all optional: work (directory to build in), cargo (path), oldest (version), memory and disk (MiB), packages,
    rustup (whether it may install a toolchain), foreign (whether another user will use the toolchain), builds
    (whether anything is built here at all), job (the unit that builds), destination (directory with provenance.json to
    look at).
    """
    work = str(wanted.get("work") or Path.cwd())
    found: dict[str, Any] = {
        "arch": platform.machine(),
        "libc": libc(),
        "root": os.geteuid() == 0,
        "systemd": Path("/run/systemd/system").is_dir(),
        "debian": shutil.which("apt-get") is not None,
        "memory": memory(_text("/proc/meminfo")),
        "disk": disk(work),
        "missing": missing(wanted.get("packages") or []),
        "cargo": toolchain(work, wanted) if wanted.get("builds") else None,
        "building": bool(wanted.get("job")) and _output(["systemctl", "is-active", wanted["job"]]).strip() == "active",
        "kept": kept(Path(wanted["destination"])) if wanted.get("destination") else None,
    }
    found["problems"] = problems(found, wanted) if wanted.get("builds") else []
    return found


def problems(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The problems that would make a build fail there, each as `problem; remedy`."""
    # A running build uses part of both already, and is only followed.
    least_memory, least_disk = (0 if found["building"] else int(wanted.get(name) or 0) for name in ("memory", "disk"))
    said = []
    if found["memory"] and found["memory"] < least_memory:
        said.append(
            f"{found['memory']} MiB of memory and swap are free, and the build needs {least_memory}: the kernel would "
            "end it half-way; end other programs, add swap, or build elsewhere (rust_build_from)"
        )
    if found["disk"] < least_disk:
        said.append(
            f"{found['disk']} MiB of disk are free below {wanted.get('work') or Path.cwd()}, and the build needs "
            f"{least_disk}; make room, or build elsewhere (rust_build_from)"
        )
    if found["cargo"] is None:
        said += _no_toolchain(found, wanted)
    if found["missing"] and not (found["root"] and found["debian"]):
        said.append(f"{', '.join(found['missing'])} missing; sudo apt-get install {' '.join(found['missing'])}")
    if wanted.get("foreign") and not found["systemd"]:
        said.append("systemd is not running, and the build would end with the connection; build elsewhere")
    return said


def _no_toolchain(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    if not wanted.get("rustup"):
        yield (
            f"cargo and rustc {wanted.get('oldest') or ''} or newer are not installed; they come with Rust, "
            "https://www.rust-lang.org/tools/install"
        )
    elif found["arch"] not in TRIPLES:
        yield f"the machine is {found['arch']}, and rustup is pinned for {' and '.join(TRIPLES)}; install cargo by hand"


def toolchain(work: str, wanted: Mapping[str, Any]) -> dict[str, str] | None:
    """The first cargo that is new enough, with its rustc beside it: {"path", "version", "rustc"}; None without one."""
    oldest = parts(str(wanted.get("oldest") or "0.0.0"))
    for path in dict.fromkeys(_candidates(work, str(wanted.get("cargo") or ""))):
        if wanted.get("foreign") and not reachable(path):
            continue
        said = [_said(path.with_name(name)) for name in ("cargo", "rustc")]
        versions = [version(text) for text in said]
        if all(found is not None and found >= oldest for found in versions):
            return {"path": str(path), "version": said[0], "rustc": said[1]}
    return None


def _candidates(work: str, named: str) -> Iterator[Path]:
    """If a cargo was named, it is the only candidate."""
    if named:
        yield Path(named)
        return
    places = [
        f"{rustup}/toolchains/*/bin/cargo" for rustup in (os.environ.get("RUSTUP_HOME"), f"{work}/rustup") if rustup
    ]
    if found := shutil.which("cargo"):
        places.append(found)
    places += ["/usr/local/rustup/toolchains/*/bin/cargo", "/opt/rust*/bin/cargo", "/usr/lib/rust-*/bin/cargo"]
    places.append(str(Path.home() / ".cargo/bin/cargo"))
    for place in places:
        yield from (Path(path) for path in sorted(glob.glob(place), reverse=True))


def version(text: str) -> tuple[int, int, int] | None:
    """The version that `cargo --version` or `rustc --version` prints; None for a nightly, a beta, or another text."""
    match = _VERSION.match(text)
    if match is None or match[4]:
        return None
    return int(match[1]), int(match[2]), int(match[3])


def parts(text: str) -> tuple[int, ...]:
    """`1.81.0` as numbers."""
    return tuple(int(part) for part in text.split("."))


def reachable(path: Path) -> bool:
    """Whether every user can run it: all directories above it can be entered."""
    try:
        real = path.resolve(strict=True)
        return all(entry.stat().st_mode & stat.S_IXOTH for entry in (real, *real.parents))
    except OSError:
        return False


def missing(packages: Sequence[str]) -> list[str]:
    """The Debian packages that are not installed and have no program in the PATH."""
    absent = [name for name in packages if not (name in _PROGRAMS and shutil.which(_PROGRAMS[name]))]
    if not absent or shutil.which("dpkg-query") is None:
        return [name for name in absent if name in _PROGRAMS]
    listing = _output(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n", *absent])
    installed = {line.split()[1] for line in listing.splitlines() if line.startswith("installed ")}
    return [name for name in absent if name not in installed]


def libc() -> dict[str, str]:
    """{"name": "glibc" or "musl", "version"}; both empty if it is another."""
    try:
        name, _, number = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        name = number = ""
    if not name and glob.glob("/lib/ld-musl-*"):
        name = "musl"
    return {"name": name, "version": number}


def memory(meminfo: str) -> int:
    """MiB of free memory and swap; 0 if the kernel does not report it."""
    fields = dict(re.findall(r"^(MemAvailable|SwapFree):\s+(\d+) kB", meminfo, re.MULTILINE))
    return sum(map(int, fields.values())) // 1024 if "MemAvailable" in fields else 0


def disk(path: str) -> int:
    """MiB of free disk at that path, which may not exist yet."""
    place = Path(path).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free // MIB


def kept(directory: Path) -> dict[str, Any]:
    """{"provenance": what provenance.json says, "files": program → SHA-256 as it is now, or null}; {} without one."""
    try:
        said = json.loads((directory / "provenance.json").read_text(encoding="utf-8"))
        files: Iterable[str] = said["files"].keys()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {"provenance": {}, "files": {}}
    return {"provenance": said, "files": {name: digest(directory / "bin" / name) for name in files}}


def digest(file: Path) -> str | None:
    """SHA-256 of a file; None if it can't be read."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return None


def _said(program: Path) -> str:
    return _output([str(program), "--version"]).strip()


def _output(command: list[str]) -> str:
    try:
        # This only looks, so rustup must not download anything.
        environment = {**os.environ, "RUSTUP_AUTO_INSTALL": "0"}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
