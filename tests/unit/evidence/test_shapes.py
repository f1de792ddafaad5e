"""Runs that are like no other: mixed journals, odd clocks, no NAT, a path that is claimed but not taken."""

from __future__ import annotations

import copy

import pytest

from kaspa_node import milestones as m
from tests.unit.evidence.builder import CIRCUIT, CLIENT, RUN, SERVER, Evidence, complete, socket
from tests.unit.evidence.conftest import Judge


def test_a_relayed_session_called_direct_in_both_journals_is_not_direct(judged: Judge) -> None:
    evidence = complete("relayed", expect="any", attempt=3)
    for host in ("client", "server"):
        evidence.journals[host] = [line.replace("path=relayed", "path=direct") for line in evidence.journals[host]]
    report = judged(evidence)
    assert (report["verdict"], report["path"]) == ("FAIL", "unproven")
    assert "says path=direct, not relayed" in report["reason"]
    evidence.run["session"]["path"] = "direct"
    for host in ("client", "server"):
        for snapshot in evidence.both(host):
            snapshot["status"]["sessions"][0]["path"] = "direct"
    report = judged(evidence)
    assert (report["verdict"], report["path"]) == ("FAIL", "unproven")
    assert "relay.still" in report["proof"]["missing"]
    assert "socket.client" in report["proof"]["missing"]
    assert "the relay carried 80000 bytes" in report["reason"]


def test_a_session_that_is_called_relayed_but_is_not_on_the_relay_is_not_relayed(judged: Judge) -> None:
    evidence = complete("relayed", expect="any", attempt=1)
    evidence.after("relay")["status"]["pairs"] = copy.deepcopy(evidence.before("relay")["status"]["pairs"])
    report = judged(evidence)
    assert (report["verdict"], report["path"]) == ("FAIL", "unproven")
    assert "relay.carried: the relay carried only 0 bytes" in report["reason"]


def test_a_relayed_session_needs_the_circuit_of_this_run(judged: Judge) -> None:
    evidence = complete("relayed", expect="any")
    evidence.replace("client", m.CIRCUIT_OUTBOUND, CIRCUIT, "0000000000000000")
    assert "circuit: the journal of server has no circuit.inbound" in judged(evidence)["reason"]


def test_clocks_ten_minutes_apart_change_nothing_and_are_shown(judged: Judge) -> None:
    report = judged(complete(skews={"client": 600.0, "server": -600.0}))
    assert report["verdict"] == "PASS"
    assert report["clock_skew"] == {"relay": 0.0, "server": -600.0, "client": 600.0}
    offsets = [entry["offset"] for entry in report["milestones"]]
    assert offsets == sorted(offsets)
    assert all(0 <= offset <= 1 for offset in offsets)


def test_two_interleaved_sessions_do_not_mix(judged: Judge) -> None:
    evidence, other = complete(), complete("relayed")
    for host in ("client", "server"):
        strangers = [line.replace(CIRCUIT, "0" * 16) for line in other.journals[host]]
        strangers = [line.replace(RUN, "20261123T101501Z-0000") for line in strangers]
        mixed = [line for pair in zip(evidence.journals[host], strangers, strict=False) for line in pair]
        evidence.journals[host] = mixed + evidence.journals[host][len(strangers) :]
    report = judged(evidence)
    assert report["verdict"] == "PASS"


def test_a_second_socket_to_the_relay_counts_too(judged: Judge) -> None:
    evidence = complete()
    for label, count in (("before", 0), ("after", 50_000)):
        entry = socket("10.1.0.2:50000", "203.0.113.10:4011", count, count, "second", "client")
        evidence.snapshots["client", label]["sockets"].append(entry)
    assert "bytes.relay: 100800 bytes went between client and the relay" in judged(evidence)["reason"]


def test_a_second_socket_of_the_relay_to_a_peers_address_counts_too(judged: Judge) -> None:
    evidence = complete()
    for label, count in (("before", 0), ("after", 50_000)):
        entry = socket("203.0.113.10:4011", "203.0.113.20:50000", count, count, "second", "relay")
        evidence.snapshots["relay", label]["sockets"].append(entry)
    assert "bytes.relay: 100800 bytes went between client and the relay" in judged(evidence)["reason"]


def from_another_port(seen_as: str = SERVER, kernel_agrees: bool = True) -> Evidence:
    """A punch from a port on which the server does not listen; the relay says whose it is, and its kernel has it."""
    evidence = complete()
    evidence.replace("client", m.CONNECTION_DIRECT, "203.0.113.30:4012", "203.0.113.30:50000")
    evidence.replace("server", m.CONNECTION_DIRECT, "10.2.0.2:4012", "10.2.0.2:50000")
    for label in ("before", "after"):
        evidence.socket("client", label, "203.0.113.30:4012")["remote"] = "203.0.113.30:50000"
        evidence.socket("server", label, "203.0.113.20:4012")["local"] = "10.2.0.2:50000"
        relay = evidence.snapshots["relay", label]
        relay["status"]["connections"] = [{"peer_id": seen_as, "observed": "203.0.113.30:50000"}]
        if kernel_agrees:
            for host, local, remote in (
                ("relay", "203.0.113.10:4011", "203.0.113.30:50000"),
                ("server", "10.2.0.2:50000", "203.0.113.10:4011"),
            ):
                evidence.snapshots[host, label]["sockets"].append(socket(local, remote, 900, 900, "second", host))
    return evidence


def test_a_direct_connection_from_another_port_of_the_same_peer_is_direct(judged: Judge) -> None:
    assert judged(from_another_port())["verdict"] == "PASS"


@pytest.mark.parametrize(("seen_as", "kernel_agrees"), [(CLIENT, True), (SERVER, False)])
def test_it_is_not_where_the_relay_or_its_kernel_does_not_know_of_it(
    judged: Judge, seen_as: str, kernel_agrees: bool
) -> None:
    report = judged(from_another_port(seen_as, kernel_agrees))
    assert (report["verdict"], report["path"]) == ("FAIL", "unproven")
    assert "mirror.client" in report["reason"]


def test_rubbish_between_the_lines_changes_nothing_and_is_counted(judged: Judge) -> None:
    evidence = complete()
    for host in ("client", "server"):
        evidence.journals[host] = [x for line in evidence.journals[host] for x in ("\x1b[2J", line, "y" * 100_000)]
    report = judged(evidence)
    assert report["verdict"] == "PASS"
    counts = report["hosts"]["client"]["journal"]["malformed"]
    assert set(counts) == {"control characters", "longer than a line may be"}


def on_loopback() -> Evidence:
    """The same run as processes of one machine: every address is 127.0.0.1."""
    evidence = complete()
    text = {
        "203.0.113.10:4011": "127.0.0.1:4011",
        "203.0.113.30:4012": "127.0.0.1:4212",
        "10.2.0.2:4012": "127.0.0.1:4212",
    }
    text |= {"203.0.113.20:4012": "127.0.0.1:4112", "10.1.0.2:4012": "127.0.0.1:4112"}
    for host, lines in evidence.journals.items():
        for old, new in text.items():
            lines = [line.replace(old, new) for line in lines]
        evidence.journals[host] = lines
    for snapshot in evidence.snapshots.values():
        for entry in snapshot["sockets"]:
            entry |= {"local": text[entry["local"]], "remote": text[entry["remote"]], "cgroup": "/user.slice"}
        for entry in snapshot["status"].get("reservations", []) + snapshot["status"].get("relays", []):
            entry["observed"] = text[entry["observed"]]
    for host in evidence.run["hosts"].values():
        host |= {"addresses": ["127.0.0.1"], "public": None}
    evidence.run |= {"inventory": "local", "network_mode": "loopback"}
    return evidence


def test_processes_on_loopback_are_told_apart_by_their_ports(judged: Judge) -> None:
    report = judged(on_loopback())
    assert (report["verdict"], report["network_mode"]) == ("PASS", "loopback")
    assert report["proof"]["relay_bytes"] == 1_600


def test_a_peer_without_nat_is_found_by_its_own_address(judged: Judge) -> None:
    evidence = on_loopback()
    for snapshot in evidence.both("relay"):
        snapshot["status"]["reservations"] = []
    for host in ("client", "server"):
        for snapshot in evidence.both(host):
            snapshot["status"]["relays"] = []
    assert judged(evidence)["verdict"] == "PASS"
    for label, snapshot in (("before", evidence.before("relay")), ("after", evidence.after("relay"))):
        del label
        for entry in snapshot["sockets"]:
            entry["remote"] = entry["remote"].replace(":4", ":5")
    report = judged(evidence)
    assert "bytes.relay" in report["proof"]["missing"]
    assert "mirror.client" not in report["proof"]["missing"]


def test_the_run_may_also_end_before_a_clock_is_known(judged: Judge) -> None:
    evidence = complete()
    for label in ("before", "after"):
        del evidence.snapshots["client", label]["time"]
    report = judged(evidence)
    assert "circuit" in report["proof"]["missing"]
    found = {piece["piece"]: piece["detail"] for piece in report["proof"]["pieces"]}
    assert found["circuit"] == "the clock of client is not known"
    assert report["clock_skew"]["client"] is None
    assert report["started"] == "2026-11-23 10:15:00.000+00:00"
