"""Precedence, and every slip of a configuration as one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaspa_node.errors import ConfigError
from kaspa_node.settings import load_settings, load_state_dir

from .conftest import CLIENT_ID, RELAY, RELAY_2, RELAY_ID, SERVER_ID, Loader, refusal


def test_without_anything_the_defaults_hold(load: Loader) -> None:
    peer, relay = load(), load(role="relay")
    assert [str(address) for address in peer.listen] == ["/ip4/0.0.0.0/tcp/4012"]
    assert [str(address) for address in relay.listen] == ["/ip4/0.0.0.0/tcp/4011"]
    assert not peer.allow.any
    assert not peer.allow.peer_ids
    assert (peer.network, peer.path_policy, peer.protocol_version, peer.reserve) == (
        "mainnet",
        "prefer-direct",
        11,
        True,
    )
    assert (relay.max_reservations, relay.reservation_ttl, relay.circuit_bytes) == (128, 3600, 0)
    assert peer.state_dir == Path("/var/lib/kaspa-node")


def test_own_variables_come_before_the_seeds_before_the_file(load: Loader) -> None:
    file, seed, own = (f"/ip4/127.0.0.1/tcp/{port}" for port in (1, 2, 3))
    toml = f'listen = ["{file}"]'
    assert load(toml).listen[0].addr == file
    assert load(toml, LIBP2P_LISTEN_MULTIADDRS=seed).listen[0].addr == seed
    assert load(toml, LIBP2P_LISTEN_MULTIADDRS=seed, KASPA_NODE_LISTEN=own).listen[0].addr == own


def test_an_empty_variable_counts_as_not_set(load: Loader) -> None:
    assert load('network = "simnet"', KASPA_NODE_NETWORK=" ", LIBP2P_RELAY_MULTIADDRS="").network == "simnet"


def test_a_file_with_everything_a_peer_has(load: Loader) -> None:
    peer = load(f"""
        listen = ["/ip4/0.0.0.0/tcp/5012", "/ip6/::/tcp/5012"]
        announce = ["/ip4/198.51.100.7/tcp/5012"]
        relays = ["{RELAY}", "{RELAY_2}/p2p-circuit"]
        reserve = false
        allow = ["{SERVER_ID}"]
        network = "testnet-10"
        path_policy = "direct-only"
        state_dir = "/srv/kaspa"
        control = "/srv/kaspa/control.sock"
        control_group = "adm"
        log_level = "debug"
        protocol_version = 9
        user_agent = "/x:1/"
        ping_interval = 5
        [[remotes]]
        name = "server"
        peer_id = "{SERVER_ID}"
    """)
    assert [relay.port for relay in peer.relays] == [4011, 4011]
    assert [relay.addr for relay in peer.relays] == [RELAY, RELAY_2]
    assert peer.remotes[0].circuits == (
        f"{RELAY}/p2p-circuit/p2p/{SERVER_ID}",
        f"{RELAY_2}/p2p-circuit/p2p/{SERVER_ID}",
    )
    assert peer.remote("server") is peer.remote(SERVER_ID) is peer.remotes[0]
    assert peer.remote("nobody") is None
    assert peer.allow.permits(SERVER_ID)


def test_an_external_backend(load: Loader) -> None:
    peer = load(f"""
        relays = ["{RELAY}"]
        allow = ["{CLIENT_ID}"]
        backend = "external"
        backend_address = "127.0.0.1:16111"
        [[remotes]]
        peer_id = "{SERVER_ID}"
        listen = "unix:/run/kaspa-node/server.sock"
    """)
    assert (peer.backend, str(peer.backend_address)) == ("external", "127.0.0.1:16111")
    assert str(peer.remotes[0].listen) == "unix:/run/kaspa-node/server.sock"
    # Who lets nobody in needs no place for them.
    assert load('backend = "external"').backend_address is None
    assert (load().backend, load().backend_address) == ("embedded", None)


def test_a_remote_with_addresses_is_dialed_through_those_alone(load: Loader) -> None:
    peer = load(f'relays = ["{RELAY}"]\n[[remotes]]\npeer_id = "{SERVER_ID}"\naddrs = ["{RELAY_2}"]')
    assert [relay.addr for relay in peer.remotes[0].addrs] == [RELAY_2]
    assert [relay.addr for relay in peer.known_relays] == [RELAY, RELAY_2]


@pytest.mark.parametrize(
    ("toml", "parts"),
    [
        ('listen = ["/ip4/0.0.0.0/tcp/70000"]', ("listen", "70000", "peer.toml", "expected /ip4|ip6")),
        ("listen = []", ("listen", "empty")),
        ('listen = "/ip4/0.0.0.0/tcp/1"', ("listen", "is not a list")),
        ('network = "mainet"', ("network", '"mainet"', "expected one of mainnet, testnet-10")),
        ('path_policy = "direct"', ("path_policy", "prefer-direct, direct-only, relay-only")),
        ("ping_interval = 0", ("ping_interval", "0", "seconds from 1 to 86400")),
        ('ping_interval = "120"', ("ping_interval", "is not a whole number")),
        ("reserve = 1", ("reserve", "expected true or false")),
        ('state_dir = "state"', ("state_dir", "is not an absolute path")),
        ('control_group = "a b"', ("control_group", "is no such name")),
        ('user_agent = "a\\nb"', ("user_agent", "printable")),
        ('log_level = "loud"', ("log_level", "debug, info")),
        ('relais = ["x"]', ("relais", "is not a setting", "relays (did you mean that?)")),
        ("zzz = 1", ("zzz", "is not a setting", "path_policy")),
        ("max_circuits = 5", ("max_circuits", "is not a setting of a peer")),
        (f'[[remotes]]\npeer_id = "{SERVER_ID}"', ("remotes", "has no address", "relays")),
        (f'relays = ["{RELAY}"]\n[[remotes]]\npeer_id = "{RELAY_ID}"', ("remotes", "of the remote itself")),
        ('backend_address = "127.0.0.1:1"', ("backend_address", "no effect", 'backend = "external"')),
        ('backend = "external"\nallow = ["any"]', ("backend_address", "is not set", "127.0.0.1:16111")),
        ('backend = "extern"', ("backend", "embedded, external")),
        ("minimum_protocol_version = 12", ("minimum_protocol_version: 12", "at most protocol_version (11)")),
        ("protocol_version = 4", ("protocol_version: 4", "minimum_protocol_version (5)")),
        (
            f'relays = ["{RELAY}"]\nbackend = "external"\n[[remotes]]\npeer_id = "{SERVER_ID}"',
            ("remotes", SERVER_ID, "has no `listen`", "127.0.0.1:16211"),
        ),
        (
            f'relays = ["{RELAY}"]\n[[remotes]]\npeer_id = "{SERVER_ID}"\nlisten = "127.0.0.1:1"',
            ("remotes", "has `listen`", 'backend = "external"'),
        ),
        (
            f'relays = ["{RELAY}"]\nbackend = "external"\nbackend_address = "[::1]:1"\n'
            f'[[remotes]]\npeer_id = "{SERVER_ID}"\nlisten = "[::1]:1"',
            ("remotes", "[::1]:1", "connected to itself"),
        ),
        ("listen = [", ("--config", "is not TOML", "end of document")),
        ("a = 1\na = 2", ("--config", "is not TOML")),
        ("a = " + "[" * 100_000, ("--config", "is not TOML")),
    ],
)
def test_a_slip_in_the_file_is_one_line_that_names_it(load: Loader, toml: str, parts: tuple[str, ...]) -> None:
    message = str(load.refused(toml))
    for part in (*parts, str(load.file)):
        assert part in message


@pytest.mark.parametrize(
    ("variable", "text", "parts"),
    [
        ("KASPA_NODE_LISTEN", "0.0.0.0:4012", ("listen", '"0.0.0.0:4012"')),
        ("KASPA_NODE_ALLOW", "any,any", ("allow", "mixes")),
        ("KASPA_NODE_RESERVE", "maybe", ("reserve", '"maybe"')),
        ("KASPA_NODE_PING_INTERVAL", "2m", ("ping_interval", '"2m"')),
        ("KASPA_NODE_REMOTES", "server=", ("remotes", "peer id")),
        ("KASPA_NODE_LISTN", "x", ("KASPA_NODE_LISTN", "KASPA_NODE_LISTEN (did you mean that?)")),
        ("KASPA_NODE_MAX_CIRCUITS", "5", ("KASPA_NODE_MAX_CIRCUITS", "not a setting of a peer")),
    ],
)
def test_a_slip_in_a_variable_is_one_line_that_names_it(
    load: Loader, variable: str, text: str, parts: tuple[str, ...]
) -> None:
    message = str(load.refused(**{variable: text}))
    for part in (*parts, variable):
        assert part in message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path, reason in ((tmp_path / "absent", "no such file"), (tmp_path, "is a directory"), (binary, "not UTF-8")):
        with pytest.raises(ConfigError) as caught:
            load_settings("peer", path, {})
        assert reason in str(caught.value)
        assert str(path) in str(caught.value)


def test_long_and_wild_values_are_cut_and_escaped(load: Loader) -> None:
    message = str(load.refused(KASPA_NODE_NETWORK="\x1b[31m" + "x" * 100_000))
    assert len(message) < 400
    assert "\\u001b[31m" in message


@given(st.binary())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_file_holds_there_are_settings_or_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "node.toml"
    file.write_bytes(content)
    refused = refusal(load_settings, "relay", file, {})
    assert refused is None or str(refused).isprintable()


def test_the_state_directory_alone_does_for_either_program(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text('max_circuits = 5\nstate_dir = "/srv/a"')
    assert load_state_dir(file, {}) == Path("/srv/a")
    assert load_state_dir(file, {"KASPA_NODE_STATE_DIR": "/srv/b"}) == Path("/srv/b")
    assert load_state_dir(None, {}) == Path("/var/lib/kaspa-node")
    with pytest.raises(ConfigError, match="state_dir"):
        load_state_dir(None, {"KASPA_NODE_STATE_DIR": "b"})


def test_a_role_is_relay_or_peer() -> None:
    with pytest.raises(ValueError, match="role"):
        load_settings("client", None, {})


def test_a_node_that_would_dial_itself_is_refused_once_its_id_is_known(load: Loader) -> None:
    peer = load(f'relays = ["{RELAY}"]\n[[remotes]]\npeer_id = "{SERVER_ID}"')
    peer.check(CLIENT_ID)
    for own, key in ((SERVER_ID, "remotes"), (RELAY_ID, "relays")):
        with pytest.raises(ConfigError, match="it would dial itself") as caught:
            peer.check(own)
        assert caught.value.setting == key
