"""The role rust_build on a booted host: brought by cargo's cache or as given files, once, and removed again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import build_place
import oracle
from lab import booted, ssh
from lab.command import run
from lab.lock import exclusive
from lab.paths import Paths
from lab.topology import host
from tests.playbooks import Played, play

PATHS = Paths()
PLAY = "tests/lab/plays/rust_build.yml"
DESTINATION = "/opt/rust-build-test"


def on(*words: str) -> str:
    return run(ssh.command(PATHS, host("client"), words)).strip()


def role(**variables: Any) -> Played:
    variables = {"rust_build_destination": DESTINATION, **variables}
    return play(PLAY, "lab", "--extra-vars", json.dumps(variables))


def well(played: Played) -> Played:
    assert played.exit_code == 0, played.output[-4000:]
    return played


def provenance() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(on("cat", f"{DESTINATION}/provenance.json"))
    return found


def sums(*names: str) -> dict[str, str]:
    lines = on("sha256sum", *(f"{DESTINATION}/bin/{name}" for name in names)).splitlines()
    return {line.split("/")[-1]: line.split()[0] for line in lines}


@pytest.fixture(scope="module", autouse=True)
def lab() -> Iterator[None]:
    """A lab that is up, whatever is deployed there; the role leaves nothing on it."""
    with exclusive():
        booted.up(PATHS)
    yield
    well(role(entry="uninstall"))
    assert on("sh", "-c", f"'ls -d {DESTINATION} 2>/dev/null || true'") == ""


@pytest.fixture
def built() -> None:
    flaw = oracle.flaw()
    if flaw is not None:
        pytest.skip(f"the seed's own programs: {flaw}; {oracle.obstacle() or 'build them: make oracle'}")


@pytest.mark.usefixtures("built")
def test_what_the_controller_built_is_brought_once() -> None:
    well(role())
    said = provenance()
    assert (said["crate"], said["from"]) == ("kaspa-p2p-lib", "controller")
    assert sums(*oracle.PROGRAMS) == said["files"]
    assert well(role()).changed == {"client": 0}
    on("sh", "-c", f"'echo more >> {DESTINATION}/bin/kaspa_p2p_client'")
    assert well(role()).changed == {"client": 1}
    assert sums(*oracle.PROGRAMS) == said["files"]


def given(tmp_path: Path, source: Path, sha256: str | None = None) -> dict[str, Any]:
    file = {"name": source.name, "src": str(source), "sha256": sha256 or build_place.digest(source)}
    return {
        "rust_build_from": "file",
        "rust_build_crate": "given",
        "rust_build_version": "1",
        "rust_build_files": [file],
    }


def test_given_programs_are_brought_once(tmp_path: Path) -> None:
    variables = given(tmp_path, Path("/usr/bin/env").resolve())
    well(role(**variables))
    assert provenance()["from"] == "file"
    assert on(f"{DESTINATION}/bin/env", "echo", "runs") == "runs"
    assert well(role(**variables)).changed == {"client": 0}


def test_a_program_of_another_machine_is_not_pushed(tmp_path: Path) -> None:
    other = tmp_path / "foreign"
    content = bytearray(Path("/usr/bin/env").resolve().read_bytes())
    content[18:20] = b"\x08\x00"
    other.write_bytes(content)
    played = role(**given(tmp_path, other))
    assert played.exit_code != 0
    assert "foreign is for machine 8, and the machine is" in played.output


def test_a_program_with_another_sum_is_not_taken(tmp_path: Path) -> None:
    played = role(**given(tmp_path, Path("/usr/bin/env").resolve(), "0" * 64))
    assert played.exit_code != 0
    assert f"and {'0' * 64} was given" in played.output


@pytest.mark.usefixtures("built")
def test_too_little_memory_is_told_before_a_build() -> None:
    played = role(rust_build_version="0.14.1", rust_build_memory=99_999_999)
    assert played.exit_code != 0
    assert "MiB of memory and swap are free, and the build needs 99999999" in played.output
