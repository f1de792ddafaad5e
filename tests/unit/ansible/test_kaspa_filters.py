from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import kaspa
import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

HOSTVARS: dict[str, dict[str, Any]] = {
    "a": {"kaspa_peer_dials": ["b"]},
    "b": {"kaspa_peer_dials": ["c"]},
    "c": {},
    "d": {"kaspa_peer_dials": ["c"]},
}


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]+", fullmatch=True), st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans()
    )
)
def test_toml_reads_back_as_it_was(settings: dict[str, Any]) -> None:
    assert tomllib.loads(kaspa.kaspa_toml(settings)) == settings


def test_toml_has_lists_and_tables_after_what_is_no_table() -> None:
    settings = {"remotes": [{"name": "b", "peer_id": "12D3"}], "allow": ["x", "y"], "relays": [], "ttl": 3600}
    text = kaspa.kaspa_toml(settings)
    assert tomllib.loads(text) == settings
    assert text.endswith('[[remotes]]\nname = "b"\npeer_id = "12D3"\n')


def test_toml_refuses_what_has_no_place_in_it() -> None:
    with pytest.raises(AnsibleFilterError, match="ttl: None has no place"):
        kaspa.kaspa_toml({"ttl": None})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.10", "/ip4/203.0.113.10/tcp/4011/p2p/12D3"),
        ("2001:db8::1", "/ip6/2001:db8::1/tcp/4011/p2p/12D3"),
        ("relay.example.org", "/dns/relay.example.org/tcp/4011/p2p/12D3"),
    ],
)
def test_an_address_becomes_a_multiaddr(address: str, expected: str) -> None:
    assert kaspa.kaspa_multiaddr(address, 4011, "12D3") == expected


def test_a_multiaddr_to_listen_on_has_no_id() -> None:
    assert kaspa.kaspa_multiaddr("0.0.0.0", 4012) == "/ip4/0.0.0.0/tcp/4012"


def test_who_dials_a_host() -> None:
    assert kaspa.kaspa_dialers(list(HOSTVARS), HOSTVARS, "c") == ["b", "d"]


def test_each_host_comes_after_those_that_it_dials() -> None:
    assert kaspa.kaspa_generations(list(HOSTVARS), HOSTVARS) == [["c"], ["b", "d"], ["a"]]


def test_hosts_that_dial_each_other_start_together_and_last() -> None:
    circle = {"a": {"kaspa_peer_dials": ["b"]}, "b": {"kaspa_peer_dials": ["a"]}, "c": {}}
    assert kaspa.kaspa_generations(list(circle), circle) == [["c"], ["a", "b"]]


def test_verify_asks_the_first_peer_that_dials() -> None:
    groups = {"relays": ["r1", "r2"], "peers": ["c", "a", "b"]}
    assert kaspa.kaspa_pair(groups, HOSTVARS) == {"client": "a", "server": "b", "relay": "r1"}


def test_verify_takes_the_relay_that_the_client_uses() -> None:
    groups = {"relays": ["r1", "r2"], "peers": ["a", "b"]}
    hostvars = {"a": {"kaspa_peer_dials": ["b"], "kaspa_peer_relays": ["r2"]}, "b": {}}
    assert kaspa.kaspa_pair(groups, hostvars)["relay"] == "r2"


def test_nobody_dials() -> None:
    with pytest.raises(AnsibleFilterError, match="give one `kaspa_peer_dials`"):
        kaspa.kaspa_pair({"relays": ["r"], "peers": ["c"]}, {"c": {}})


def test_a_remote_has_an_address_for_programs_where_one_is_given() -> None:
    assert kaspa.kaspa_remotes({"a": "12D3a", "b": "12D3b"}, {"b": "[::1]:50051"}) == [
        {"name": "a", "peer_id": "12D3a"},
        {"name": "b", "peer_id": "12D3b", "listen": "[::1]:50051"},
    ]


def test_another_source_is_another_digest(tmp_path: Path) -> None:
    file = tmp_path / "kaspa_node" / "a.py"
    file.parent.mkdir()
    file.write_text("one")
    before = kaspa.kaspa_sources_digest(str(tmp_path))
    assert kaspa.kaspa_sources_digest(str(tmp_path)) == before
    file.write_text("two")
    assert kaspa.kaspa_sources_digest(str(tmp_path)) != before


def test_the_next_command_finds_the_inventory_of_this_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    default = [f"{tmp_path}/inventory/lab"]
    assert kaspa.kaspa_inventory_options(default, default) == ""
    assert kaspa.kaspa_inventory_options([f"{tmp_path}/inventory/mine"], default) == " -i inventory/mine"
    several = ["/srv/fleet/my hosts.yml", "/srv/more"]
    assert kaspa.kaspa_inventory_options(several, default) == " -i '/srv/fleet/my hosts.yml' -i /srv/more"
