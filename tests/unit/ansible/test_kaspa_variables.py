from __future__ import annotations

from pathlib import Path
from typing import Any

import kaspa_variables
import pytest
import yaml
from ansible.errors import AnsibleUndefinedVariable

ID = "12D3KooWPC7iF5f59UFdRFEUfNprqjshtWcevpHm3N9VxD8ArxYW"
INVENTORIES = Path(__file__).resolve().parents[3] / "inventory"


def problems(**variables: Any) -> list[str]:
    return kaspa_variables.kaspa_variable_problems({"a": variables}, ["a"])


def test_variables_that_are_well() -> None:
    assert problems(kaspa_peer_port="4012", kaspa_peer_dials=["b"], kaspa_relay_address="{{ x }}", other=1) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("kaspa_peer_port", "abc", "a: kaspa_peer_port is 'abc', which is not a whole number; write one"),
        ("kaspa_peer_port", True, "a: kaspa_peer_port is True, which is not a whole number; write one"),
        (
            "kaspa_relay_port",
            99999,
            "a: kaspa_relay_port is 99999, which is not a port; write a number from 1 to 65535",
        ),
        ("kaspa_relay_port", "0", "a: kaspa_relay_port is '0', which is not a port; write a number from 1 to 65535"),
        (
            "kaspa_firewall_ports",
            ["x"],
            "a: kaspa_firewall_ports has the entry 'x', which is not a whole number; write one",
        ),
        (
            "kaspa_firewall_ports",
            [99999],
            "a: kaspa_firewall_ports is 99999, which is not a port; write a number from 1 to 65535",
        ),
        (
            "kaspa_firewall_undo_after",
            -5,
            "a: kaspa_firewall_undo_after is -5, which is less than nothing; write a number from 0",
        ),
        (
            "kaspa_firewall_enabled",
            "maybe",
            "a: kaspa_firewall_enabled is 'maybe', which is neither true nor false; write one of them",
        ),
        ("kaspa_peer_dials", None, "a: kaspa_peer_dials is None, which is not a list; write [], or [ENTRY]"),
        ("kaspa_peer_dials", "server", "a: kaspa_peer_dials is 'server', which is not a list; write [server]"),
        (
            "kaspa_peer_network",
            "mainet",
            "a: kaspa_peer_network is 'mainet'; it can be mainnet, testnet-10, simnet, devnet",
        ),
        (
            "kaspa_peer_dial_listens",
            "[::1]:50051",
            "a: kaspa_peer_dial_listens is '[::1]:50051', which maps nothing; write {NAME: VALUE}",
        ),
        (
            "kaspa_native_programs",
            ["server", "miner"],
            "a: kaspa_native_programs is 'miner'; it can be server, client",
        ),
        ("kaspa_peer_dial", ["b"], "a: kaspa_peer_dial is not a variable of any role; did you mean kaspa_peer_dials?"),
        (
            "kaspa_relay_of_mine",
            1,
            "a: kaspa_relay_of_mine is not a variable of any role; the roles' README files list them",
        ),
    ],
)
def test_a_slip_is_named_with_its_value_and_what_is_expected(name: str, value: Any, said: str) -> None:
    assert problems(**{name: value}) == [said]


def test_facts_of_the_roles_are_no_slips() -> None:
    assert problems(**dict.fromkeys(kaspa_variables.OWN_FACTS, "x")) == []


@pytest.mark.parametrize("name", ["example", "lab", "local"])
def test_the_inventories_that_come_along_have_no_slips(name: str) -> None:
    folder = INVENTORIES / name
    groups = yaml.safe_load((folder / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]
    common = yaml.safe_load((folder / "group_vars" / "all.yml").read_text(encoding="utf-8")) or {}
    hosts = {host: common | (own or {}) for group in groups.values() for host, own in group["hosts"].items()}
    assert kaspa_variables.kaspa_variable_problems(hosts, list(hosts)) == []


def test_two_hosts_with_one_key() -> None:
    known = {"kaspa_node_peer_id": ID}
    recorded = {"ansible_facts": {"kaspa_host": {"recorded": {"kaspa_node": {"peer_id": ID}}}}}
    fresh: dict[str, Any] = {"ansible_facts": {"kaspa_host": {"recorded": {}}}}
    hosts = {"a": known, "b": fresh, "c": recorded, "d": {"kaspa_node_peer_id": "12D3KooWother"}, "e": {}}
    (problem,) = kaspa_variables.kaspa_key_problems(hosts, list(hosts))
    assert problem.startswith(f"a and c have the same key, that of {ID}")
    assert kaspa_variables.kaspa_key_problems(hosts, ["a", "b", "d", "e"]) == []


class Templates(dict[str, Any]):
    """Variables whose templates have a mistake."""

    def __getitem__(self, name: str) -> Any:
        raise AnsibleUndefinedVariable("'nowhere' is undefined\nand a frame")


def test_a_template_that_can_not_be_resolved_is_named_with_its_host() -> None:
    found = kaspa_variables.kaspa_variable_problems({"a": Templates(kaspa_peer_port="{{ nowhere }}")}, ["a"])
    assert found == ["a: kaspa_peer_port can't be resolved: 'nowhere' is undefined"]
