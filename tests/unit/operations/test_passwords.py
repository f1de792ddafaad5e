"""Passwords and vaults come from where Ansible takes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.constants import DEFAULT_VAULT_ID_MATCH
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.playbooks import ROOT

READ = """
import json, sys
from operations.inventory_loader import load
settings = load(sys.argv[1]).node("a").settings
become = settings.become and settings.become.password
print(json.dumps([settings.address, settings.password, become, "Port=2222" in settings.ssh]))
"""


def read(inventory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What another process reads, because Ansible looks at its environment once."""
    argv = [sys.executable, "-c", READ, str(inventory)]
    values = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(argv, cwd=ROOT, env=values, capture_output=True, text=True, check=False)


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """With a file of variables in a vault, and a value in another one."""
    (tmp_path / "password").write_text("the vault's\n")
    vault = VaultLib([(DEFAULT_VAULT_ID_MATCH, VaultSecret(b"the vault's"))])
    variables = tmp_path / "group_vars" / "all"
    variables.mkdir(parents=True)
    text = "secret_port: 2222\nansible_become_password: for sudo\n"
    (variables / "vault.yml").write_bytes(vault.encrypt(text))
    value = "".join(f"  {line}\n" for line in vault.encrypt("for the login").decode().splitlines())
    (variables / "plain.yml").write_text(
        f"ansible_host: 10.0.0.1\nansible_port: '{{{{ secret_port }}}}'\nansible_become: true\n"
        f"ansible_password: !vault |\n{value}"
    )
    (tmp_path / "hosts").write_text("[peers]\na\n")
    return tmp_path / "hosts"


def test_variables_in_a_vault(inventory: Path) -> None:
    done = read(inventory, ANSIBLE_VAULT_PASSWORD_FILE=str(inventory.with_name("password")))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["10.0.0.1", "for the login", "for sudo", True]


def test_a_vault_without_its_password(inventory: Path) -> None:
    done = read(inventory)
    assert "UsageProblem" in done.stderr
    assert "no vault secrets" in done.stderr


def test_a_vaults_password_that_is_not_there(inventory: Path) -> None:
    done = read(inventory, ANSIBLE_VAULT_PASSWORD_FILE="/nowhere/password")
    assert "UsageProblem: a password of " in done.stderr


def test_passwords_from_files(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[peers]\na ansible_become=true\n")
    for name in ("login", "sudo"):
        (tmp_path / name).write_text(f"for {name}\n")
    done = read(
        tmp_path / "hosts",
        ANSIBLE_BECOME_PASSWORD_FILE=str(tmp_path / "sudo"),
        ANSIBLE_CONNECTION_PASSWORD_FILE=str(tmp_path / "login"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["a", "for login", "for sudo", False]
