"""A relay is replaced by two deploys: the session between the peers does not notice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lab import public
from lab.lock import exclusive
from lab.paths import Paths
from lab.topology import SPARE
from tests.fabric import fab
from tests.lab.scenes import PEERS, on
from tests.playbooks import ROOT, Played, play

INVENTORY = "lab-reload"
COPY = ROOT / "inventory" / INVENTORY


@pytest.fixture
def spare(deployed: None) -> Iterator[None]:
    """The lab's spare host, and a copy of its inventory; as usual at the end."""
    with exclusive():
        public.add_spare(Paths())
    shutil.copytree(ROOT / "inventory" / "lab", COPY, dirs_exist_ok=True)
    try:
        yield
        deploy("lab")
    finally:
        shutil.rmtree(COPY)
        with exclusive():
            public.remove_spare(Paths())


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


def statuses(inventory: str) -> dict[str, Any]:
    """What each host's node tells of itself."""
    done = fab("status", "--json", "--inventory", f"inventory/{inventory}")
    assert done.code == 0, done.err
    return {name: host["status"] for name, host in done.document["hosts"].items()}


def lives(found: dict[str, Any]) -> dict[str, Any]:
    """What a restart would end: of each peer the process, and the sessions that stand."""
    return {
        name: (found[name]["pid"], [(row["session"], row["path"]) for row in found[name]["sessions"]]) for name in PEERS
    }


def relays(found: dict[str, Any]) -> list[set[tuple[str, str]]]:
    """Of each peer, its relays and how far they are."""
    return [{(row["peer_id"], row["state"]) for row in found[name]["relays"]} for name in PEERS]


def test_a_relay_is_replaced_and_no_session_is_lost(spare: None) -> None:
    start = statuses("lab")
    before, old = lives(start), start["relay"]["peer_id"]
    assert [path for _, path in before["client"][1]] == ["direct"]

    name_relays(relay="203.0.113.10", relay2=SPARE.address)
    deploy(INVENTORY)
    found = statuses(INVENTORY)
    new = found["relay2"]["peer_id"]
    assert lives(found) == before
    assert relays(found) == [{(old, "reserved"), (new, "reserved")}] * 2
    assert found["relay"]["pid"] == start["relay"]["pid"]
    assert set(deploy(INVENTORY).changed.values()) == {0}

    name_relays(relay2=SPARE.address)
    assert "203.0.113.11" in deploy(INVENTORY, "--check", "--diff").output
    assert lives(statuses(INVENTORY)) == before
    deploy(INVENTORY)
    found = statuses(INVENTORY)
    assert lives(found) == before
    assert relays(found) == [{(new, "reserved")}] * 2
    assert statuses("lab")["relay"]["reservations"] == []

    # The new relay is all that a fresh session needs.
    on("relay", "systemctl stop kaspa-relay")
    fresh = json.loads(on("client", "/opt/kaspa-node/bin/kaspa-node session server --json"))
    on("relay", "systemctl start kaspa-relay")
    assert fresh["path"] == "direct"
    (pair,) = statuses(INVENTORY)["relay2"]["pairs"]
    assert pair["circuits"] == 1
