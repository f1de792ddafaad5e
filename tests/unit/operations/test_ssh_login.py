"""Which keys are tried, in which order. The agent is a real one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from operations.ssh_config import SshConfig
from operations.ssh_login import Login, identity, private_key


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Key files a, b and c, and an authority's certificate for b."""
    for name in ("a", "b", "c", "ca"):
        keygen("-t", "ed25519", "-N", "", "-C", name, "-f", tmp_path / name)
    keygen("-s", tmp_path / "ca", "-I", "b", "-n", "admin", tmp_path / "b.pub")
    (tmp_path / "b-cert.pub").rename(tmp_path / "certificate")
    return tmp_path


@pytest.fixture
def agent(keys: Path) -> Iterator[Path]:
    """The socket of an agent that has a and b."""
    place = keys / "agent"
    said = subprocess.run(["ssh-agent", "-a", place], check=True, capture_output=True, text=True).stdout
    environment = {**os.environ, "SSH_AUTH_SOCK": str(place)}
    subprocess.run(["ssh-add", "-q", keys / "a", keys / "b"], check=True, env=environment)
    yield place
    pid = said.partition("SSH_AGENT_PID=")[2].partition(";")[0]
    subprocess.run(["ssh-agent", "-k"], check=True, capture_output=True, env={**environment, "SSH_AGENT_PID": pid})


def keygen(*words: str | Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)


def tried(*options: str) -> list[str]:
    """The names of what is tried, files by their last part."""
    answer = ["hostname vps", "port 22", "user admin", "pubkeyacceptedalgorithms ssh-ed25519,rsa-sha2-256", *options]
    if not any(option.startswith("identityagent") for option in options):
        answer.append("identityagent none")
    login = Login(SshConfig("\n".join(answer)), None)
    list(login.get_sources())
    return [name.rpartition("/")[2] for name in login.tried]


def test_files_in_their_order(keys: Path) -> None:
    assert tried(f"identityfile {keys}/c", f"identityfile {keys}/nowhere", f"identityfile {keys}/a") == ["c", "a"]


def test_an_agent_comes_first_and_with_all_its_keys(keys: Path, agent: Path) -> None:
    options = f"identityagent {agent}", f"identityfile {keys}/c", f"identityfile {keys}/b"
    assert tried(*options) == ["b", "a of ssh's agent", "c"]
    assert tried(*options, "identitiesonly yes") == ["b", "c"]


def test_a_public_key_names_one_of_the_agents(keys: Path, agent: Path) -> None:
    (keys / "b").unlink()
    for name in ("b", "b.pub"):
        found = tried(f"identityagent {agent}", f"identityfile {keys}/{name}", "identitiesonly yes")
        assert found == [name]


def test_a_certificate_with_a_key_of_a_file_or_of_the_agent(keys: Path, agent: Path) -> None:
    kinds = "pubkeyacceptedalgorithms ssh-ed25519,ssh-ed25519-cert-v01@openssh.com"
    answer = f"hostname vps\nport 22\nuser admin\n{kinds}\ncertificatefile {keys}/certificate\nidentitiesonly yes\n"
    for options in (f"identityagent none\nidentityfile {keys}/b", f"identityagent {agent}"):
        first, *_ = Login(SshConfig(answer + options), None).get_sources()
        assert first.pkey.public_blob.key_type == "ssh-ed25519-cert-v01@openssh.com"
        assert first.pkey.sign_ssh_data(b"data")


def test_keys_that_ssh_would_not_use(keys: Path) -> None:
    (keys / "a").chmod(0o644)
    keygen("-p", "-P", "", "-N", "secret", "-f", keys / "b")
    assert identity(str(keys / "a")).obstacle == f"{keys}/a can be read by others: chmod 600 {keys}/a"
    assert identity(str(keys / "b")).obstacle == f"{keys}/b has a passphrase; load it with ssh-add"
    assert tried(f"identityfile {keys}/a", f"identityfile {keys}/b") == []
    assert tried(f"identityfile {keys}/c", "pubkeyauthentication false") == []


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("form", ["RFC4716", "PKCS8", "PEM"])
def test_formats_of_private_keys(kind: str, form: str, tmp_path: Path) -> None:
    keygen("-t", kind, "-N", "", "-m", form, "-f", tmp_path / "key")
    kinds = {"ed25519": "ssh-ed25519", "ecdsa": "ecdsa-sha2-nistp256", "rsa": "ssh-rsa"}
    key = private_key((tmp_path / "key").read_bytes())
    assert f"{kinds[kind]} {key.get_base64()}" in (tmp_path / "key.pub").read_text()


def test_a_file_that_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    (tmp_path / "key").chmod(0o600)
    assert (
        identity(str(tmp_path / "key")).obstacle
        == f"{tmp_path}/key is a key that tasks can't use; load it with ssh-add"
    )
    (tmp_path / "text").write_bytes(b"\xff\xfe")
    assert identity(str(tmp_path / "text")).private is None
