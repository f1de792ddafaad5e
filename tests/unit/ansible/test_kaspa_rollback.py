"""What each host goes back to, and with which settings."""

from __future__ import annotations

from typing import Any

import kaspa_rollback
import pytest
from ansible.errors import AnsibleFilterError


def host(name: str, venv: str, fact: dict[str, Any] | None) -> dict[str, Any]:
    recorded = {"kaspa_release": fact} if fact is not None else {}
    return {"inventory_hostname": name, "ansible_facts": {"kaspa_host": {"venv": venv, "recorded": recorded}}}


def fact(release: str, sources: str, installed: float, before: str) -> dict[str, Any]:
    return {"release": release, "sources": sources, "installed": installed, "before": before}


NEW, OLD = fact("/opt/n-2", "two", 20.0, "/opt/n-1"), fact("/opt/n-1", "one", 10.0, "/opt/n-0")


def plan(**hosts: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found = kaspa_rollback.kaspa_rollback_plan(hosts, list(hosts))
    return {name: (entry["to"], entry["why"]) for name, entry in found.items()}


def test_a_host_goes_back_to_the_release_before() -> None:
    assert plan(a=host("a", "/opt/n-2", NEW)) == {"a": ("/opt/n-1", "")}


@pytest.mark.parametrize(
    ("venv", "found", "why"),
    [
        ("/opt/n-1", NEW, "runs the release before already"),
        ("/opt/n-1", OLD, "does not run the release that is rolled back"),
        ("/opt/n-2", {**NEW, "before": ""}, "has had no release before this one"),
        ("", None, "has no release of its own"),
        ("/opt/n-2", {}, "has no release of its own"),
    ],
)
def test_one_that_has_nothing_to_go_back_to_says_why(venv: str, found: dict[str, Any] | None, why: str) -> None:
    hosts = {"a": host("a", "/opt/n-2", NEW), "b": host("b", venv, found)}
    assert plan(**hosts) == {"a": ("/opt/n-1", ""), "b": ("", why)}


def test_without_any_release_nobody_goes_back() -> None:
    assert plan(a=host("a", "", None)) == {"a": ("", "has no release of its own")}


def test_who_is_upgraded_is_who_ran_another_release() -> None:
    hosts = [host("a", "/opt/n-2", NEW), host("b", "/opt/n-1", NEW), host("c", "/opt/n-1", OLD), host("d", "", None)]
    assert kaspa_rollback.kaspa_upgraded(hosts, "two") == ["b", "c", "d"]


def test_a_host_that_was_rolled_back_runs_the_release_before() -> None:
    hosts = [host("a", "/opt/n-1", {**NEW, "before_sources": "one"}), host("b", "/opt/n-1", NEW)]
    assert kaspa_rollback.kaspa_upgraded(hosts, "one") == ["b"]
    assert kaspa_rollback.kaspa_upgraded(hosts, "two") == ["a", "b"]


def test_settings_come_back_but_not_the_peers_of_then() -> None:
    kept = 'network = "mainnet"\nallow = ["leaked"]\nrelays = []\n'
    present = 'network = "simnet"\nnew = 1\nallow = ["fresh"]\nrelays = ["r"]\n[[remotes]]\nname = "s"\n'
    found = kaspa_rollback.kaspa_settings_back(kept, present)
    assert found == {"network": "mainnet", "allow": ["fresh"], "relays": ["r"]}
    assert list(found) == ["network", "allow", "relays"]


def test_a_remote_that_is_new_since_then_stays() -> None:
    present = '[[remotes]]\nname = "s"\n'
    assert kaspa_rollback.kaspa_settings_back("remotes = []\n", present) == {"remotes": [{"name": "s"}]}


def test_a_damaged_configuration_is_named_as_such() -> None:
    with pytest.raises(AnsibleFilterError, match="is not TOML"):
        kaspa_rollback.kaspa_settings_back("=", "")


@pytest.mark.parametrize(
    ("status", "served"),
    [
        ({}, []),
        ({"role": "relay", "reservations": [{"peer_id": "A"}, {"peer_id": "stranger"}]}, ["A"]),
        (
            {"role": "peer", "sessions": [{"peer_id": "B", "state": "ready"}, {"peer_id": "A", "state": "handshake"}]},
            ["B"],
        ),
        ({"role": "peer", "backend": {}, "sessions": [{"peer_id": "B", "state": "ready"}]}, ["B"]),
        ({"role": "peer", "backend": {"state": "up"}, "sessions": [{"peer_id": "B", "state": "ready"}]}, []),
    ],
)
def test_a_node_serves_those_of_ours_that_have_something_of_it(status: dict[str, Any], served: list[str]) -> None:
    assert kaspa_rollback.kaspa_served(status, ["A", "B"]) == served
