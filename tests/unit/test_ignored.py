"""Inventories and their state files can be committed; keys can't by accident."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def ignored(path: str) -> bool:
    return subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False).returncode == 0


@pytest.fixture(autouse=True)
def checkout() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")


@pytest.mark.parametrize("path", ["inventory/mine/hosts.yml", "inventory/mine/.kaspa/hosts.yml.json"])
def test_an_inventory_and_its_state_can_be_committed(path: str) -> None:
    assert not ignored(path)


@pytest.mark.parametrize(
    "path", ["inventory/mine/kaspa-keys-20261130T231205Z.json", "inventory/mine/identity.key", ".lab/fleet.json"]
)
def test_keys_backups_and_the_labs_state_are_not(path: str) -> None:
    assert ignored(path)
