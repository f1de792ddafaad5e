"""The role rust_build on booted hosts: each way that programs come by, once, and removed again.

Hosts of the lab may have no way out to a registry, so a stand-in plays rustup-init and cargo there.
"""

from __future__ import annotations

import hashlib
import json
import platform
import signal
import subprocess
import sys
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
from tests.playbooks import ROOT, Played, play

PATHS = Paths()
PLAY = "tests/lab/plays/rust_build.yml"
DESTINATION = "/opt/rust-build-test"
STAND_IN = "/opt/rust-stand-in"

# What the stand-in cargo waits for: somebody who opens this for writing.
GATE = f"{STAND_IN}/gate"
CARGO = f"""#!/bin/sh
[ "$1" = --version ] && {{ echo "$(basename "$0") 1.95.0 (stand-in)"; exit; }}
echo "   Compiling stand-in v1.0.0 as $(id -un)"
[ ! -p {GATE} ] || cat {GATE}
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin" && cp /usr/bin/env "$2/bin/stand-in"
"""
RUSTUP_INIT = f"""#!/bin/sh
echo "info: downloading a stand-in: $*"
mkdir -p "$RUSTUP_HOME/toolchains/it/bin"
cp {STAND_IN}/cargo "$RUSTUP_HOME/toolchains/it/bin/cargo"
cp {STAND_IN}/cargo "$RUSTUP_HOME/toolchains/it/bin/rustc"
"""
BUILT_THERE: dict[str, Any] = {
    "rust_build_crate": "stand-in",
    "rust_build_version": "1.0.0",
    "rust_build_binaries": ["stand-in"],
    "rust_build_packages": [],
    "rust_build_memory": 1,
    "rust_build_disk": 1,
    "rust_build_rustup_url": f"file://{STAND_IN}",
}


def on(*words: str, name: str = "client") -> str:
    return run(ssh.command(PATHS, host(name), words)).strip()


def write(path: str, content: str, name: str = "client") -> None:
    """An executable file on a host."""
    words = ssh.command(
        PATHS, host(name), ["sh", "-c", f"'mkdir -p $(dirname {path}); cat > {path}; chmod 755 {path}'"]
    )
    subprocess.run(words, input=content, text=True, check=True)


def words(**variables: Any) -> list[str]:
    return ["--extra-vars", json.dumps({"rust_build_destination": DESTINATION, **variables})]


def role(**variables: Any) -> Played:
    return play(PLAY, "lab", *words(**variables))


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
    well(role(entry="uninstall", rust_build_from="host", rust_build_host="server"))
    for name in ("client", "server"):
        on("rm", "-rf", STAND_IN, "/opt/rust-of-the-test", name=name)
        assert (
            on("sh", "-c", f"'ls -d {DESTINATION} /var/lib/rust-build; getent passwd rust-build; true'", name=name)
            == ""
        )


@pytest.mark.native
@pytest.mark.usefixtures("native_programs")
def test_what_the_controller_built_is_brought_once() -> None:
    well(role())
    said = provenance()
    assert (said["crate"], said["from"]) == ("kaspa-p2p-lib", "controller")
    assert sums(*oracle.PROGRAMS) == said["files"]
    assert well(role()).changed == {"client": 0}
    on("sh", "-c", f"'echo more >> {DESTINATION}/bin/kaspa_p2p_client'")
    assert well(role()).changed == {"client": 1}
    assert sums(*oracle.PROGRAMS) == said["files"]


def given(source: Path) -> dict[str, Any]:
    file = {"name": source.name, "src": str(source), "sha256": build_place.digest(source)}
    return {
        "rust_build_from": "file",
        "rust_build_crate": "given",
        "rust_build_version": "1",
        "rust_build_files": [file],
    }


def test_given_programs_are_brought_once() -> None:
    variables = given(Path("/usr/bin/env").resolve())
    well(role(**variables))
    assert provenance()["from"] == "file"
    assert on(f"{DESTINATION}/bin/env", "echo", "runs") == "runs"
    assert well(role(**variables)).changed == {"client": 0}


def test_a_program_of_another_machine_is_not_pushed(tmp_path: Path) -> None:
    other = tmp_path / "foreign"
    content = bytearray(Path("/usr/bin/env").resolve().read_bytes())
    content[18:20] = b"\x08\x00"
    other.write_bytes(content)
    played = role(**given(other))
    assert played.exit_code != 0
    assert "foreign is for machine 8, and the machine is" in played.output


@pytest.mark.native
@pytest.mark.usefixtures("native_programs")
def test_too_little_memory_is_told_before_a_build() -> None:
    played = role(rust_build_version="0.14.1", rust_build_memory=99_999_999)
    assert played.exit_code != 0
    assert "MiB of memory and swap are free, and the build needs 99999999" in played.output


def rustup(sha256: str | None = None) -> dict[str, Any]:
    """A stand-in for rustup-init where it would be downloaded from, and the variables that name it."""
    machine = platform.machine()
    write(f"{STAND_IN}/cargo", CARGO)
    write(f"{STAND_IN}/archive/1.29.0/{machine}-unknown-linux-gnu/rustup-init", RUSTUP_INIT)
    digest = sha256 or hashlib.sha256(RUSTUP_INIT.encode()).hexdigest()
    return {**BUILT_THERE, "rust_build_from": "target", "rust_build_rustup_sha256": {machine: digest}}


def test_another_rustup_than_the_pinned_one_is_not_run() -> None:
    played = role(**rustup("0" * 64))
    assert played.exit_code != 0
    assert "The checksum for" in played.output
    assert on("find", "/var/lib/rust-build", "-name", "rustup*") == ""


def interrupt(playbook: subprocess.Popen[str]) -> None:
    """Press Ctrl-C until it has ended: Ansible may wait for a worker that the first one has caught amid a message."""
    for _ in range(5):
        playbook.send_signal(signal.SIGINT)
        try:
            playbook.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            continue
        return
    playbook.kill()


def test_a_build_on_the_host_outlives_the_playbook_and_the_next_one_follows_it() -> None:
    variables = rustup()
    on("mkfifo", "-m", "666", GATE)
    command = [Path(sys.executable).with_name("ansible-playbook"), PLAY, *words(**variables)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as playbook:
        assert playbook.stdout is not None
        shown = []
        for line in playbook.stdout:
            shown.append(line)
            if "compiling stand-in v1.0.0 as rust-build" in line:
                break
        interrupt(playbook)
    assert "client: info: downloading a stand-in: -y --no-modify-path --profile minimal" in "".join(shown)
    assert on("systemctl", "is-active", "rust-build") == "active"
    on("systemd-run", "--quiet", "sh", "-c", f"'echo open > {GATE}; rm {GATE}'")
    assert well(role(**variables)).changed["client"] > 0
    said = provenance()
    assert (said["from"], said["host"], said["cargo"]) == ("target", "client", "cargo 1.95.0 (stand-in)")
    assert sums("stand-in") == said["files"]
    assert on("stat", "-c", "%U", f"{DESTINATION}/bin/stand-in") == "root"
    assert well(role(**variables)).changed == {"client": 0}


def test_a_build_host_builds_for_others_with_the_toolchain_that_it_has() -> None:
    for tool in ("cargo", "rustc"):
        write(f"/opt/rust-of-the-test/bin/{tool}", CARGO, name="server")
    variables = {**BUILT_THERE, "rust_build_from": "host", "rust_build_host": "server"}
    played = well(role(**variables))
    assert "server: [" in played.output
    said = provenance()
    assert (said["from"], said["host"], sums("stand-in")) == ("host", "server", said["files"])
    assert on("sh", "-c", "'ls /var/lib/rust-build/rustup 2>/dev/null; true'", name="server") == ""
    assert well(role(**variables)).changed == {"client": 0}


def test_check_mode_says_what_would_be_built_and_changes_nothing() -> None:
    on("rm", "-rf", DESTINATION)
    played = play(PLAY, "lab", "--check", *words(**rustup()))
    assert "stand-in-1.0.0 would be built by" in well(played).output
    assert on("sh", "-c", f"'ls {DESTINATION} 2>/dev/null; true'") == ""
