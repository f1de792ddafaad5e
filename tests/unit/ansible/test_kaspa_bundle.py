from __future__ import annotations

import json
from typing import Any

import kaspa_bundle
import pytest

RUN = {
    "run_id": "20261123T101500Z-4f2a",
    "started": "1.0",  # as ansible-core 2.17 has it
    "expect_path": "direct",
    "inventory": "lab",
    "network_mode": "hosts",
    "pair": {"client": "client", "server": "server", "relay": "relay"},
}
GONE = {"unreachable": True, "msg": "ssh: connect to host: refused"}


def look(peer_id: str, **more: Any) -> dict[str, Any]:
    status = {"peer_id": peer_id, "version": "0.1.0", **more}
    facts = {"addresses": ["10.1.0.2"], "os": "Debian 12", "peer_id": peer_id}
    return {"snapshot": {"label": "x", "status": status}, "facts": facts}


def steps(found: dict[str, Any]) -> dict[str, Any]:
    last = {**found, "log": "a line\n", "native_log": "a line of theirs\n"}
    return {"mark": found, "session": {}, "before": found, "during": last, "exercise": {}, "after": last}


def collected() -> dict[str, Any]:
    relay = look("12D3R", reservations=[{"peer_id": "12D3C", "observed": "203.0.113.20:4012"}])
    hosts = {"client": steps(look("12D3C")), "server": steps(look("12D3S")), "relay": steps(relay)}
    hosts["client"]["session"] = {"rc": 0, "stdout": '{"session": "9f.3"}'}
    return hosts


def files_of(hosts: dict[str, Any], *native: str) -> dict[str, str]:
    """native: which of client and server have a native program."""
    units = {host: kaspa_bundle.unit(host, [host] if host in native else []) for host in hosts}
    files: dict[str, str] = kaspa_bundle.files(RUN, hosts, units, 9.0)
    return files


def run_json(hosts: dict[str, Any], *native: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files_of(hosts, *native)["run.json"])
    return content


def test_every_file_of_a_run() -> None:
    names = {f"{host}/{file}" for host in ("client", "server", "relay") for file in ("journal.log",)}
    names |= {f"{h}/snapshot-{label}.json" for h in ("client", "server", "relay") for label in ("before", "after")}
    assert files_of(collected()).keys() == {"run.json", *names}
    assert set(files_of(collected(), "client", "server")) - names == {
        "run.json",
        "client/snapshot-during.json",
        "server/snapshot-during.json",
        "client/native.log",
        "server/native.log",
    }
    assert set(files_of(collected(), "server")) - names == {"run.json", "server/native.log"}


def test_a_host_is_described_as_it_was_seen() -> None:
    content = run_json(collected())
    assert content["hosts"]["client"] == {
        "role": "peer",
        "peer_id": "12D3C",
        "service": "kaspa-peer",
        "addresses": ["10.1.0.2"],
        "public": "203.0.113.20",
        "unreachable": None,
        "os": "Debian 12",
        "version": "0.1.0",
        "native": None,
    }
    assert content["hosts"]["server"]["public"] is None
    assert (content["started"], content["ended"]) == (1.0, 9.0)


def test_the_peer_id_is_that_of_the_deploy_whatever_the_program_says() -> None:
    hosts = collected()
    for step in ("mark", "before", "after"):
        hosts["server"][step]["snapshot"]["status"]["peer_id"] = "12D3X"
    assert run_json(hosts)["hosts"]["server"]["peer_id"] == "12D3S"
    for step in ("mark", "before", "after"):
        hosts["server"][step]["facts"]["peer_id"] = None
    assert run_json(hosts)["hosts"]["server"]["peer_id"] is None


def test_a_host_that_was_not_reached() -> None:
    hosts = {**collected(), "server": {**steps({}), **dict.fromkeys(("mark", "before", "after"), GONE)}}
    files = files_of(hosts)
    assert json.loads(files["run.json"])["hosts"]["server"]["unreachable"] == "ssh: connect to host: refused"
    assert json.loads(files["server/snapshot-before.json"])["error"] == "ssh: connect to host: refused"
    assert "server/journal.log" not in files


def test_ansibles_words_around_those_of_ssh_are_left_out() -> None:
    refused = "ssh: connect to host 10.2.0.2 port 22: Connection refused"
    advice = 'Data could not be sent to remote host "10.2.0.2". Make sure this host can be reached over ssh:'
    for said in (f"Task failed: {advice} {refused}", f"Failed to connect to the host via ssh: {refused}", refused):
        assert kaspa_bundle.why({"unreachable": True, "msg": said}) == refused
    assert kaspa_bundle.why({"msg": "Task failed: no such module"}) == "no such module"


def test_what_was_never_asked_for_has_its_reason() -> None:
    assert run_json(collected())["exercise"] == {"error": "it was not asked for"}


def test_a_session_that_failed_has_the_nodes_own_words() -> None:
    hosts = collected()
    hosts["client"]["session"] = {"rc": 1, "stdout": "", "stderr": "kaspa-node: no reservation for server\n"}
    assert run_json(hosts)["session"] == {"error": "no reservation for server"}


def test_an_answer_that_is_no_json() -> None:
    assert kaspa_bundle.reply({"rc": 0, "stdout": "Segmentation fault"}) == {"error": "its answer is not JSON"}
    assert kaspa_bundle.reply({"rc": 0, "stdout": "[]"}) == {"error": "its answer is no object"}


def test_an_ipv6_address_is_seen_without_its_brackets() -> None:
    hosts = collected()
    hosts["relay"] = steps(look("12D3R", reservations=[{"peer_id": "12D3S", "observed": "[2001:db8::1]:4012"}]))
    assert run_json(hosts)["hosts"]["server"]["public"] == "2001:db8::1"


@pytest.mark.parametrize(("dialed", "public"), [("203.0.113.10:4011", "203.0.113.10"), ("10.3.0.2:4011", None)])
def test_a_relay_behind_a_nat_is_seen_where_its_peers_have_dialed_it(dialed: str, public: str | None) -> None:
    hosts = collected()
    relay = look("12D3R")
    relay["facts"]["addresses"] = ["10.3.0.2"]
    hosts["relay"] = steps(relay)
    hosts["client"] = steps(look("12D3C", relays=[{"peer_id": "12D3R", "connected": dialed}]))
    assert run_json(hosts)["hosts"]["relay"]["public"] == public


def test_a_native_program_is_named_by_its_unit() -> None:
    hosts = run_json(collected(), "client", "server")["hosts"]
    assert {name: host["native"] for name, host in hosts.items()} == {
        "client": "kaspa-native-client",
        "server": "kaspa-native-server",
        "relay": None,
    }
    assert kaspa_bundle.unit("server", ["client"]) is None


def test_a_path_without_a_session_is_enough_only_where_a_native_client_opens_one() -> None:
    hosts = collected()
    hosts["client"]["session"] = {"rc": 0, "stdout": '{"session": null, "conn": "9f"}'}
    assert run_json(hosts, "client")["session"] == {"session": None, "conn": "9f"}
    assert "kaspa_native_programs names no program" in run_json(hosts, "server")["session"]["error"]


def test_a_session_that_was_never_watched_has_its_reason() -> None:
    hosts = collected()
    hosts["client"]["during"] = {}
    files = files_of(hosts, "client")
    assert json.loads(files["client/snapshot-during.json"])["error"] == "it was not taken"
    assert "client/native.log" not in files
