from __future__ import annotations

import copy
from typing import Any

import pytest

from kaspa_node.evidence.decode import DecodeError, as_record
from kaspa_node.evidence.endpoints import Endpoint
from operations.doctor.facts import Host
from operations.doctor.read import read_host, read_settings
from tests.unit.operations.doctor.scene import ADDR, CLIENT_ID, RELAY_ID, SERVER_ID

PLACE = "/etc/kaspa-node/peer.toml"
CONFIG = f"""
listen = ["/ip4/0.0.0.0/tcp/4712"]
relays = ["{ADDR}"]
[[remotes]]
name = "server"
peer_id = "{SERVER_ID}"
"""
PUNCH = (
    "2026-11-23 07:48:34.332+00:00 [INFO ] DCUtR behaviour event result: Ok(1e30) milestone=punch.succeeded conn=1e30 "
    f"peer={SERVER_ID} attempt=1 relayed=b6aa local=10.1.0.2:4012 remote=203.0.113.30:4012 seconds=0.2 relay_rtt=0.1"
)
ANSWER: dict[str, Any] = {
    "time": 1.0,
    "service": {"state": "active", "exit_status": 0, "restarts": 0, "stopped": False, "pid": 17},
    "last": "",
    "config": CONFIG,
    "variables": {},
    "recorded_id": CLIENT_ID,
    "key_id": CLIENT_ID,
    "status": {
        "peer_id": CLIENT_ID,
        "network": "mainnet",
        "relays": [
            {"peer_id": RELAY_ID, "addr": ADDR, "state": "reserved", "reason": None, "observed": "203.0.113.20:4012"}
        ],
        "remotes": [{"name": "server", "peer_id": SERVER_ID, "state": "direct", "reason": None, "listen": None}],
        "sessions": [{"peer_id": SERVER_ID, "path": "direct", "state": "ready"}],
        "backend": None,
    },
    "silence": None,
    "filters": None,
    "addresses": ["10.1.0.2"],
    "lines": [PUNCH, "no line of ours milestone=nonsense"],
}


def read(**changes: Any) -> Host:
    answer = copy.deepcopy(ANSWER) | changes
    known = Host("client", "peer", 4012, dials=("server",))
    return read_host(known, as_record("client", answer), "kaspa-peer", PLACE, 0.0)


def test_a_host_as_the_probe_shows_it() -> None:
    host = read()
    assert host.status is not None
    assert host.service is not None
    assert (host.name, host.port, host.dials, host.peer_id) == ("client", 4712, ("server",), CLIENT_ID)
    assert (host.service.running, host.service.pid) == (True, 17)
    assert host.status.relays[0].observed == Endpoint("203.0.113.20", 4012)
    assert [line.fields["local"] for line in host.lines] == ["10.1.0.2:4012"]
    assert (host.wrong, host.firewall) == (None, None)


def test_an_answer_that_is_none_is_refused() -> None:
    with pytest.raises(DecodeError, match="service: state should be a text"):
        read(service={})


def test_the_last_line_is_told_without_time_and_fields() -> None:
    host = read(last=PUNCH)
    assert host.service is not None
    assert host.service.last == "DCUtR behaviour event result: Ok(1e30)"
    other = read(last="kaspa-node: network: no")
    assert other.service is not None
    assert other.service.last == "kaspa-node: network: no"


def test_variables_come_before_the_file_as_for_the_node() -> None:
    settings, wrong = read_settings("peer", PLACE, CONFIG, {"KASPA_NODE_NETWORK": "simnet"})
    assert wrong is None
    assert settings is not None
    assert settings.network == "simnet"


def test_settings_that_can_not_be_used_are_told_in_the_nodes_words_with_the_hosts_path() -> None:
    settings, wrong = read_settings("peer", PLACE, 'network = "testnet"', {})
    assert settings is None
    assert wrong == (
        f'network: "testnet" (from {PLACE}) is not known; expected one of mainnet, testnet-10, simnet, devnet'
    )


def test_a_file_that_is_not_there_is_wrong_but_not_where_nothing_is_installed() -> None:
    assert read(config=None).wrong == f"{PLACE} can't be read, or is not there"
    service = {"state": "not-found", "exit_status": 0, "restarts": 0, "stopped": False, "pid": 0}
    assert read(config=None, service=service, status=None).wrong is None


def test_a_node_that_would_dial_itself() -> None:
    status = ANSWER["status"] | {"peer_id": SERVER_ID}
    assert (read(status=status).wrong or "").startswith(f'remotes: "{SERVER_ID}"')
