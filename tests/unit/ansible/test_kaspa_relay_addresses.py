from __future__ import annotations

from typing import Any

import kaspa_relay_addresses as addresses
import pytest


def hosts(relay: dict[str, Any], **looked_up: list[str]) -> dict[str, dict[str, Any]]:
    return {"relay": relay, "client": {"ansible_facts": {"kaspa_host": {"resolved": looked_up}}}}


@pytest.mark.parametrize(
    ("relay", "names"),
    [
        ({}, ["relay"]),
        ({"ansible_host": "vps"}, ["vps"]),
        ({"ansible_host": "vps", "kaspa_relay_address": "relay.example.org"}, ["relay.example.org"]),
        ({"ansible_host": "203.0.113.10"}, []),
        ({"ansible_host": "vps", "kaspa_relay_address": "2001:db8::1"}, []),
    ],
)
def test_names_are_looked_up_by_the_peers(relay: dict[str, Any], names: list[str]) -> None:
    assert addresses.kaspa_relay_names(["relay"], hosts(relay)) == names


@pytest.mark.parametrize("address", ["10.0.0.5", "192.168.1.2", "100.64.0.1", "127.0.0.1", "fd00::1"])
def test_a_private_address_of_ansibles_is_not_given_to_peers_unasked(address: str) -> None:
    (problem,) = addresses.kaspa_relay_address_problems(["relay"], hosts({"ansible_host": address}))
    assert problem.startswith(
        f"peers would dial relay at {address}, the address that Ansible uses, which is private; set"
    )
    asked_for = hosts({"ansible_host": address, "kaspa_relay_address": address})
    assert addresses.kaspa_relay_address_problems(["relay"], asked_for) == []


@pytest.mark.parametrize("address", ["203.0.113.10", "2001:db8::1", "vps.example.org"])
def test_public_addresses_and_names_are_taken_as_they_are(address: str) -> None:
    assert addresses.kaspa_relay_address_problems(["relay"], hosts({"ansible_host": address})) == []


def test_a_name_that_only_the_controller_knows() -> None:
    relay = {"ansible_host": "vps"}
    (problem,) = addresses.kaspa_relay_name_problems(["relay"], hosts(relay, vps=[]), "client")
    assert problem.startswith("the name vps of the relay relay is not known here; set kaspa_relay_address of relay")
    (problem,) = addresses.kaspa_relay_name_problems(["relay"], hosts(relay, vps=["127.0.1.1", "::1"]), "client")
    assert problem.startswith("the name vps of the relay relay means this host itself here; set")
    assert addresses.kaspa_relay_name_problems(["relay"], hosts(relay, vps=["127.0.1.1", "192.0.2.1"]), "client") == []
    assert addresses.kaspa_relay_name_problems(["relay"], hosts({"ansible_host": "192.0.2.1"}), "client") == []


@pytest.mark.parametrize(
    "address",
    ["203.0.113.10:4011", "[2001:db8::1]", "http://relay.example.org", "re lay", "", None, 5, ["203.0.113.10"]]
    + ["0.0.0.0", "::", "224.0.0.1", "2001:db8::1%eth0", "-relay", "relay..org", "203.0.113.300", "r" * 64],
)
def test_what_no_peer_can_dial_is_named(address: object) -> None:
    (problem,) = addresses.kaspa_relay_address_problems(["relay"], hosts({"kaspa_relay_address": address}))
    assert problem == (
        f"the kaspa_relay_address of relay is {address!r}, which peers can't dial; write an IP address, as "
        "203.0.113.10 or 2001:db8::1, or a name, as relay.example.org"
    )


@pytest.mark.parametrize("address", ["relay.example.org.", "relay_1", "relay", "203.0.113.10", "2001:db8::1"])
def test_what_peers_can_dial_is_accepted(address: str) -> None:
    assert addresses.kaspa_relay_address_problems(["relay"], hosts({"kaspa_relay_address": address})) == []
