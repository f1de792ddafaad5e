"""The inventories that come with the project can be read, and their groups make sense."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import kaspa_precheck
import pytest

from kaspa_node.settings import kinds

ROOT = Path(__file__).resolve().parents[3]


def inventory(name: str) -> dict[str, Any]:
    command = [Path(sys.executable).with_name("ansible-inventory"), "-i", f"inventory/{name}", "--list"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(listing)
    return found


@pytest.mark.parametrize("name", ["lab", "lab-native", "local", "example"])
def test_it_names_one_relay_and_two_peers_of_which_one_dials(name: str) -> None:
    found = inventory(name)
    groups = {group: found[group]["hosts"] for group in ("relays", "peers")}
    hostvars = found["_meta"]["hostvars"]
    assert [len(groups["relays"]), len(groups["peers"])] == [1, 2]
    assert kaspa_precheck.kaspa_inventory_problems(groups, hostvars) == []
    assert [host for host in groups["peers"] if hostvars[host].get("kaspa_peer_dials")] == [groups["peers"][1]]


def test_the_playbooks_allow_the_names_that_a_node_allows() -> None:
    assert f"'{kinds._NAME.pattern}\\\\Z'" in (ROOT / "playbooks" / "inventory.yml").read_text(encoding="utf-8")
