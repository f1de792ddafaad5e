"""What a run on part of a fleet knows of the other hosts, and what it says of those that it left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kaspa_fleet as fleet
import pytest

RECORDED = {"ansible_facts": {"kaspa_host": {"recorded": {"kaspa_node": {"peer_id": "recorded"}}}}}
KNOWN = {name: {"role": "peer", "peer_id": "known", "seen": "2026-11-30"} for name in ("client", "server")}
DOWN = {"kaspa_fleet_left_out": {"why": "connect to host 10.1.0.2 port 22: Connection timed out", "down": True}}
FAILED = {"kaspa_fleet_left_out": {"why": "kaspa-peer is not reserved after 60 s", "down": False}}


@pytest.mark.parametrize(
    ("variables", "known", "expected"),
    [
        ({"kaspa_node_peer_id": "own", **RECORDED}, KNOWN, {"client": "own"}),
        (RECORDED, KNOWN, {"client": "recorded"}),
        ({}, KNOWN, {"client": "known"}),
        ({}, {}, {}),
    ],
)
def test_what_a_host_says_of_itself_wins(variables: dict[str, Any], known: Any, expected: dict[str, str]) -> None:
    assert fleet.kaspa_known(["client"], {"client": variables}, known) == expected


def test_of_a_relay_the_address_is_known_too() -> None:
    known = {"relay": {"peer_id": "known", "multiaddr": "/ip4/203.0.113.10/tcp/4011/p2p/known"}}
    expected = {"relay": "/ip4/203.0.113.10/tcp/4011/p2p/known"}
    assert fleet.kaspa_known(["relay"], {"relay": {}}, known, "multiaddr") == expected


def test_each_file_of_an_inventory_has_a_state_file_beside_it(tmp_path: Path) -> None:
    for name in ("hosts.yml", "more.ini"):
        (tmp_path / name).write_text("")
    hostvars = {
        "a": {"inventory_file": str(tmp_path / "hosts.yml")},
        "b": {"inventory_file": str(tmp_path / "more.ini")},
        "c": {"inventory_file": "c,d,"},
        "d": {"inventory_file": None},
        "e": {"inventory_file": None, "kaspa_fleet_state_file": "/home/ann/fleet.json"},
    }
    assert fleet.kaspa_state_files(list(hostvars), hostvars) == {
        "a": str(tmp_path / ".kaspa" / "hosts.yml.json"),
        "b": str(tmp_path / ".kaspa" / "more.ini.json"),
        "c": "",
        "d": "",
        "e": "/home/ann/fleet.json",
    }


def test_what_a_run_found_out_has_no_host_without_an_id() -> None:
    hostvars = {
        "relay": {"kaspa_node_peer_id": "R", "kaspa_relay_multiaddr": "/ip4/203.0.113.10/tcp/4011/p2p/R"},
        "client": {"kaspa_node_peer_id": "C"},
        "server": {},
    }
    assert fleet.kaspa_found(list(hostvars), hostvars, ["relay"]) == {
        "relay": {"role": "relay", "peer_id": "R", "multiaddr": "/ip4/203.0.113.10/tcp/4011/p2p/R"},
        "client": {"role": "peer", "peer_id": "C"},
    }


def test_nobody_waits_for_hosts_that_are_away() -> None:
    hostvars = {"relay": {}, "server": DOWN, "client": {}, "lost": {}, "limited": {}}
    run = ["relay", "server", "client", "lost"]
    assert fleet.kaspa_absent(list(hostvars), hostvars, run, ["lost"]) == ["server", "lost", "limited"]
    assert fleet.kaspa_taking_part(run, hostvars) == ["relay", "client", "lost"]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"msg": "Task failed: Action failed: no room"}, "no room"),
        ({"msg": "first problem; do this\nsecond problem; do that"}, "first problem; do this"),
        ({"msg": "Traceback (most recent call last):\n  File\nOSError: no room"}, "OSError: no room"),
        (
            {
                "unreachable": True,
                "msg": "Task failed: Failed to connect to the host via ssh: ssh: connect to host 10.1.0.2 port 22: "
                "Connection timed out",
            },
            "connect to host 10.1.0.2 port 22: Connection timed out",
        ),
        (
            {"unreachable": True, "msg": "Warning: a banner\nann@10.1.0.2: Permission denied (publickey)."},
            "ann@10.1.0.2: Permission denied (publickey)",
        ),
        (
            {"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "no room"}]},
            "no room",
        ),
        (
            {"msg": "failed to validate", "stderr": "kaspa-node: remotes: no address\n"},
            "kaspa-node: remotes: no address",
        ),
        ({"msg": "failed to validate", "stderr": ""}, "failed to validate"),
        ({}, "it failed"),
        ({"msg": "\n"}, "it failed"),
        ({"msg": "x" * 1000}, "x" * 300 + "…"),
    ],
)
def test_a_reason_is_one_line(result: dict[str, Any], reason: str) -> None:
    assert fleet.kaspa_reason(result) == reason


def left_out(hostvars: dict[str, Any], present: list[str], known: Any = KNOWN) -> list[str]:
    return fleet.kaspa_left_out(list(hostvars), hostvars, present, known, "deploy.yml")


def test_a_line_says_why_a_host_was_left_out_and_what_holds() -> None:
    (line,) = left_out({"client": DOWN, "server": {}}, ["client", "server"])
    assert line == (
        "left out: client: connect to host 10.1.0.2 port 22: Connection timed out; it keeps what it has, and the "
        "others keep it on their lists; run deploy.yml again when it is back"
    )


@pytest.mark.parametrize(("host", "holds"), [(DOWN, "nothing was removed there"), (FAILED, "some of it may still be")])
def test_an_uninstall_says_what_is_left(host: dict[str, Any], holds: str) -> None:
    (line,) = fleet.kaspa_left_out(["client"], {"client": host}, ["client"], KNOWN, fleet.UNINSTALL)
    assert holds in line


def test_hosts_with_the_same_reason_share_a_line() -> None:
    (line,) = left_out({"client": FAILED, "server": FAILED}, ["client", "server"])
    assert line.startswith("left out: client, server: kaspa-peer is not reserved after 60 s; ")
    assert line.endswith("run deploy.yml again when it is mended")


def test_a_line_says_what_has_to_come_first() -> None:
    waiting = {"kaspa_fleet_left_out": {"why": "relay must be deployed first", "down": False, "until": "relay is up"}}
    (line,) = left_out({"client": waiting}, ["client"])
    assert line.endswith("the others keep it on their lists; run deploy.yml again when relay is up")


def test_a_host_that_nobody_knows_is_said_to_be_missing() -> None:
    (line,) = left_out({"client": DOWN}, ["client"], known={})
    assert "nothing is known of it yet, so the others are set up without it" in line


def test_a_host_that_was_lost_on_the_way_is_left_out_too() -> None:
    (line,) = left_out({"client": {}, "server": {}}, ["server"])
    assert line == "left out: client: the connection was lost on the way; run deploy.yml again when it is back"


def test_nobody_left_out() -> None:
    assert left_out({"client": {}, "server": {}}, ["client", "server"]) == []
