"""Playbooks with inventories that can't work: one sentence, exit code 2, and no host is touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMMON = {
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "kaspa_node_manager": "process",
    "kaspa_node_root": "{{ inventory_dir }}/hosts/{{ inventory_hostname }}",
    "kaspa_node_listen_address": "127.0.0.1",
}
RELAYS = {"hosts": {"relay": {}}}


def play(directory: Path, playbook: str, **groups: object) -> tuple[int, list[str]]:
    """The exit code of a playbook, and the errors that it tells."""
    inventory = {"all": {"vars": COMMON, "children": groups}}
    (directory / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", directory / "hosts.yml", playbook],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert not (directory / "hosts").exists()
    assert "Traceback" not in done.stdout + done.stderr
    lines = (done.stdout + done.stderr).splitlines()
    mark = "[ERROR]: Task failed: Action failed: "
    return done.returncode, [line.partition(mark)[2] for line in lines if line.startswith(mark)]


@pytest.mark.parametrize("playbook", ["playbooks/precheck.yml", "deploy.yml", "verify.yml"])
def test_an_inventory_without_the_groups_is_no_success(tmp_path: Path, playbook: str) -> None:
    code, errors = play(tmp_path, playbook, somewhere={"hosts": {"x": {}}})
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith(f"no hosts in the group relays and in the group peers of {tmp_path}/hosts.yml; ")


@pytest.mark.parametrize(
    ("peers", "said"),
    [
        ({"a": {"kaspa_peer_dials": ["b"]}}, "a dials b, which is not in the group peers"),
        ({"a": {"kaspa_peer_dials": ["a"]}}, "a dials itself"),
        (
            {"a": {"kaspa_peer_dials": ["b"]}, "b": {"kaspa_peer_network": "simnet"}},
            "a dials b, but their kaspa_peer_network is mainnet and simnet; set one value for both",
        ),
        ({"a": {"kaspa_peer_dials": "b"}, "b": {}}, "a: kaspa_peer_dials is 'b', which is not a list; write [b]"),
        ({"a": {"kaspa_peer_port": 70000}}, "a: kaspa_peer_port is 70000, which is not a port"),
        ({"a": {"kaspa_peer_port": "many"}}, "a: kaspa_peer_port is 'many', which is not a whole number"),
        ({"a": {"kaspa_peer_netwrk": "simnet"}}, "a: kaspa_peer_netwrk is not a variable of any role; did you mean"),
        (
            {"a": {"kaspa_peer_dials": ["b"], "kaspa_peer_backend": "external"}, "b": {}},
            "a dials b for an external backend, and no program could reach it there; say where to listen for them",
        ),
    ],
    ids=[
        "unknown remote",
        "itself",
        "two networks",
        "no list",
        "a port too high",
        "no port",
        "a slip in a name",
        "no forward",
    ],
)
def test_an_inventory_that_can_not_work(tmp_path: Path, peers: dict[str, object], said: str) -> None:
    code, errors = play(tmp_path, "deploy.yml", relays=RELAYS, peers={"hosts": peers})
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith(said)


ODD = ["a/b", "two words", "-x", ".hidden", "it's", "hôte", "2001:db8::1", "x" * 64]


@pytest.mark.parametrize("playbook", ["deploy.yml", "verify.yml"])
def test_names_that_a_node_or_a_file_can_not_have(tmp_path: Path, playbook: str) -> None:
    peers = {"hosts": dict.fromkeys([*ODD, "Upper-case_1.example"], {})}
    code, errors = play(tmp_path, playbook, relays=RELAYS, peers=peers)
    assert (code, len(errors)) == (2, 1)
    names, _, rule = errors[0].partition(": a host's name ")
    assert names.split(", ") == [f'"{name}"' for name in sorted(ODD)]
    assert rule.endswith(f"; rename it in {tmp_path}/hosts.yml, and give its address as ansible_host")


def test_odd_names_of_groups_matter_to_nobody(tmp_path: Path) -> None:
    relays = {"children": {"-vps in 'Köln'/1": RELAYS}}
    code, errors = play(tmp_path, "deploy.yml", relays=relays, peers={"hosts": {"a": {"kaspa_peer_dials": ["a"]}}})
    assert (code, errors) == (2, ["a dials itself; remove it from its kaspa_peer_dials"])
