"""The collection as a user installs it: deploy and verify outside the checkout, without its settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import collection

TOOLS = Path(os.environ.get("ANSIBLE_TOOLS", Path(sys.executable).parent))
"""Another Ansible: `make test-ansible-versions`. Plain processes run with its Python."""
ADDRESSES = {"relay": "127.78.0.1", "server": "127.78.0.2", "client": "127.78.0.3"}


def ansible(tool: str, *words: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [TOOLS / tool, *words],
        cwd=cwd,
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "ANSIBLE_CONFIG": str(cwd / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(cwd / "collections"),
            "PWD": str(cwd),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the installed collection and an inventory of plain processes on loopback."""
    directory = tmp_path_factory.mktemp("elsewhere")
    file = collection.build(directory / "dist")
    (directory / "ansible.cfg").write_text("[defaults]\n")
    ansible(
        "ansible-galaxy", "collection", "install", "--offline", file, "-p", directory / "collections", cwd=directory
    )
    hosts = {
        name: {"kaspa_node_listen_address": address, "kaspa_node_root": str(directory / name)}
        for name, address in ADDRESSES.items()
    }
    hosts["relay"]["kaspa_relay_address"] = ADDRESSES["relay"]
    hosts["client"]["kaspa_peer_dials"] = ["server"]  # type: ignore[assignment]
    inventory = {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                "kaspa_node_manager": "process",
                "kaspa_verify_network_mode": "loopback",
            }
        },
        "relays": {"hosts": {"relay": hosts["relay"]}},
        "peers": {"hosts": {name: hosts[name] for name in ("server", "client")}},
    }
    (directory / "hosts.json").write_text(json.dumps(inventory))
    yield directory
    ansible("ansible-playbook", "-i", "hosts.json", "kaspa.private_peers.uninstall", cwd=directory)


def test_an_installed_collection_deploys_and_verifies(elsewhere: Path) -> None:
    ansible("ansible-playbook", "-i", "hosts.json", "kaspa.private_peers.deploy", cwd=elsewhere)
    ansible("ansible-playbook", "-i", "hosts.json", "kaspa.private_peers.verify", cwd=elsewhere)
    report = json.loads((elsewhere / "evidence" / "latest" / "report.json").read_text())
    assert (report["verdict"], report["path"]) == ("PASS", "direct")


def test_it_has_nothing_but_real_files_of_its_own(elsewhere: Path) -> None:
    installed = elsewhere / "collections" / "ansible_collections" / "kaspa" / "private_peers"
    assert not [path for path in installed.rglob("*") if path.is_symlink()]
    assert {"galaxy.yml", "tests", "lab", "operations"}.isdisjoint(path.name for path in installed.iterdir())
