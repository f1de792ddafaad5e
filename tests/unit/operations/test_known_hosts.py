"""Which host keys are known, and which are refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import paramiko
import pytest

from operations.known_hosts import KnownKeys, known_keys
from operations.problems import HostProblem
from operations.ssh_config import SshConfig


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[paramiko.PKey]:
    """Two of the same kind."""
    place, found = tmp_path_factory.mktemp("keys"), []
    for name in ("a", "b"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True)
        found.append(paramiko.Ed25519Key.from_private_key_file(str(place / name)))
    return found


def text_of(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def known(place: Path, text: str, *more: str, port: int = 22) -> KnownKeys:
    """What a known_hosts file says of the host vps.example."""
    (place / "known_hosts").write_text(text)
    options = ("hostname vps.example", f"port {port}", "user admin", f"userknownhostsfile {place}/known_hosts", *more)
    return known_keys(SshConfig("\n".join(options)), "vps")


def accepted(found: KnownKeys, key: paramiko.PKey) -> None:
    found.check((key.get_name(), key.get_base64()), key.fingerprint, "vps")


def refused(found: KnownKeys, key: paramiko.PKey) -> str:
    with pytest.raises(HostProblem) as problem:
        accepted(found, key)
    return str(problem.value)


@pytest.mark.parametrize(
    "line",
    [
        "vps.example {}",
        "*.example,!other.example {} comment",
        "VPS.example {}",
        "vps.exa\n# comment\n@revoked\n@cert-authority other\nvps.example ssh-ed25519 AAAA\nvps.example {}",
        "@cert-authority *.example {other}\nvps.example {}",
        "@revoked * {other}\nvps.example {}",
        "vps.example {other}\nvps.example {}",
    ],
)
def test_lines_that_have_the_key(line: str, keys: list[paramiko.PKey], tmp_path: Path) -> None:
    key, other = keys
    accepted(known(tmp_path, line.format(text_of(key), other=text_of(other)) + "\n"), key)


def test_hashed_names(keys: list[paramiko.PKey], tmp_path: Path) -> None:
    file = tmp_path / "hashed"
    file.write_text(f"vps.example {text_of(keys[0])}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    accepted(known(tmp_path, file.read_text()), keys[0])


def test_a_command_that_prints_lines(keys: list[paramiko.PKey], tmp_path: Path) -> None:
    (tmp_path / "more").write_text(f"vps.example {text_of(keys[0])}\n")
    command = f"knownhostscommand /bin/grep %H {tmp_path}/more"
    accepted(known(tmp_path, "", command), keys[0])
    with pytest.raises(HostProblem, match=r"^vps: `/bin/grep .*` \(KnownHostsCommand\) ended with 1$"):
        known(tmp_path, "", command, port=2222)


def test_a_port(keys: list[paramiko.PKey], tmp_path: Path) -> None:
    key, other = keys
    accepted(known(tmp_path, f"[vps.example]:2222 {text_of(key)}\n", port=2222), key)
    accepted(known(tmp_path, f"vps.example {text_of(key)}\n", port=2222), key)
    both = f"vps.example {text_of(key)}\n[vps.example]:2222 {text_of(other)}\n"
    assert "has another host key" in refused(known(tmp_path, both, port=2222), key)
    assert "is not in" in refused(known(tmp_path, f"[vps.example]:2222 {text_of(key)}\n"), key)


@pytest.mark.parametrize("line", ["*.example,!vps.example {}", "vps {}", "vps.example ssh-ed25519 AAAA"])
def test_lines_that_do_not_have_it(line: str, keys: list[paramiko.PKey], tmp_path: Path) -> None:
    assert refused(known(tmp_path, line.format(text_of(keys[0]))), keys[0]).startswith("vps: ")


def test_a_host_that_only_an_authority_knows(keys: list[paramiko.PKey], tmp_path: Path) -> None:
    said = refused(known(tmp_path, f"@cert-authority * {text_of(keys[1])}\n"), keys[0])
    assert said.startswith("vps: admin@vps.example:22 is known by a certificate authority only, and tasks can't check")


def test_a_revoked_key(keys: list[paramiko.PKey], tmp_path: Path) -> None:
    line = text_of(keys[0])
    said = refused(known(tmp_path, f"vps.example {line}\n@revoked * {line}\n"), keys[0])
    assert said.startswith("vps: the host key of admin@vps.example:22 is revoked: ssh-ed25519 SHA256:")


@pytest.mark.parametrize("kind", ["list", "krl"])
def test_files_of_revoked_keys(kind: str, keys: list[paramiko.PKey], tmp_path: Path) -> None:
    key, other = keys
    bad, line = tmp_path / "bad", text_of(key)
    bad.write_text(f"{line} comment\n")
    if kind == "krl":
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(tmp_path / "krl"), str(bad)], check=True)
        bad = tmp_path / "krl"
    both = known(tmp_path, f"* {line}\n* {text_of(other)}\n", f"revokedhostkeys {bad}")
    assert f"is revoked by {bad}: ssh-ed25519 SHA256:" in refused(both, key)
    accepted(both, other)


def test_a_file_of_revoked_keys_that_is_not_there(keys: list[paramiko.PKey], tmp_path: Path) -> None:
    said = refused(known(tmp_path, f"* {text_of(keys[0])}\n", "revokedhostkeys /nowhere/bad"), keys[0])
    assert said == "vps: /nowhere/bad (RevokedHostKeys) can't be read: No such file or directory"
