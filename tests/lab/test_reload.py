"""A relay is replaced by two deploys: the session between the peers does not notice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lab import public, ssh
from lab.command import run
from lab.lock import exclusive
from lab.topology import SPARE, host
from tests.lab.scenes import PATHS, PEERS, on
from tests.playbooks import ROOT, Played, play

INVENTORY = "lab-reload"
NODE = "/opt/kaspa-node/bin/kaspa-node"
COPY = ROOT / "inventory" / INVENTORY


@pytest.fixture
def spare(deployed: None) -> Iterator[None]:
    """The lab's spare host, and a copy of its inventory; as usual at the end."""
    with exclusive():
        public.add_spare(PATHS)
    shutil.copytree(ROOT / "inventory" / "lab", COPY, dirs_exist_ok=True)
    try:
        yield
        deploy("lab")
    finally:
        shutil.rmtree(COPY)
        with exclusive():
            public.remove_spare(PATHS)


def name_relays(**addresses: str) -> None:
    """Have the copy name these relays, and no other."""
    hosts = COPY / "hosts.yml"
    found = yaml.safe_load(hosts.read_text(encoding="utf-8"))
    found["all"]["children"]["relays"]["hosts"] = {
        name: {"ansible_host": address, "kaspa_relay_address": address} for name, address in addresses.items()
    }
    hosts.write_text(yaml.safe_dump(found), encoding="utf-8")


def deploy(inventory: str, *words: str) -> Played:
    played = play("deploy.yml", inventory, *words)
    assert played.exit_code == 0, played.output[-4000:]
    return played


def status(name: str) -> dict[str, Any]:
    """What a host's node tells of itself."""
    words = ssh.command(PATHS, SPARE if name == SPARE.name else host(name), [f"{NODE} status --json"])
    found: dict[str, Any] = json.loads(run(words, timeout=60))
    return found


def statuses() -> dict[str, Any]:
    return {name: status(name) for name in PEERS}


def lives(found: dict[str, Any]) -> dict[str, Any]:
    """What a restart would end: of each peer the process, and the sessions that stand."""
    return {
        name: (found[name]["pid"], [(row["session"], row["path"]) for row in found[name]["sessions"]]) for name in PEERS
    }


def relays(found: dict[str, Any]) -> list[set[tuple[str, str]]]:
    """Of each peer, its relays and how far they are."""
    return [{(row["peer_id"], row["state"]) for row in found[name]["relays"]} for name in PEERS]


def test_a_relay_is_replaced_and_no_session_is_lost(spare: None) -> None:
    before, relay = lives(statuses()), status("relay")
    old = relay["peer_id"]
    assert [path for _, path in before["client"][1]] == ["direct"]

    name_relays(relay="203.0.113.10", relay2=SPARE.address)
    deploy(INVENTORY)
    found, new = statuses(), status(SPARE.name)["peer_id"]
    assert lives(found) == before
    assert relays(found) == [{(old, "reserved"), (new, "reserved")}] * 2
    assert status("relay")["pid"] == relay["pid"]

    name_relays(relay2=SPARE.address)
    assert "203.0.113.11" in deploy(INVENTORY, "--check", "--diff").output
    assert lives(statuses()) == before
    deploy(INVENTORY)
    found = statuses()
    assert lives(found) == before
    assert relays(found) == [{(new, "reserved")}] * 2
    assert status("relay")["reservations"] == []

    # The new relay is all that a fresh session needs.
    on("relay", "systemctl stop kaspa-relay")
    fresh = json.loads(on("client", f"{NODE} session server --json"))
    on("relay", "systemctl start kaspa-relay")
    assert fresh["path"] == "direct"
    (pair,) = status(SPARE.name)["pairs"]
    assert pair["circuits"] == 1
