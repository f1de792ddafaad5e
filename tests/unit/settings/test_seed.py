"""The seed's variables, as its document uses them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.settings import load_settings, seed

from .conftest import CLIENT_ID, RELAY, RELAY_2, RELAY_ID, SERVER_ID, Loader, refusal


def test_the_seeds_server(load: Loader) -> None:
    server = load(LIBP2P_LISTEN_MULTIADDRS=f"/ip4/0.0.0.0/tcp/4012,{RELAY}/p2p-circuit", LIBP2P_RELAY_MULTIADDRS=RELAY)
    assert [address.addr for address in server.listen] == ["/ip4/0.0.0.0/tcp/4012"]
    assert [relay.circuit for relay in server.relays] == [f"{RELAY}/p2p-circuit"]
    assert server.remotes == ()


def test_the_seeds_client(load: Loader) -> None:
    client = load(LIBP2P_REMOTE_PEER_ID=SERVER_ID, LIBP2P_REMOTE_MULTIADDRS=f"{RELAY}/p2p-circuit")
    assert client.remotes[0].circuits == (f"{RELAY}/p2p-circuit/p2p/{SERVER_ID}",)
    assert client.relays == ()
    assert [relay.peer_id for relay in client.known_relays] == [RELAY_ID]


def test_circuits_among_the_listen_addresses_name_further_relays(load: Loader) -> None:
    server = load(LIBP2P_LISTEN_MULTIADDRS=f"{RELAY_2}/p2p-circuit", LIBP2P_RELAY_MULTIADDRS=RELAY)
    assert [relay.addr for relay in server.relays] == [RELAY, RELAY_2]
    assert [address.port for address in server.listen] == [4012]


def test_singular_names_and_semicolons_work_as_well(load: Loader) -> None:
    server = load(LIBP2P_LISTEN_MULTIADDR="/ip4/0.0.0.0/tcp/1;/ip4/0.0.0.0/tcp/2", LIBP2P_RELAY_MULTIADDR=RELAY)
    assert [address.port for address in server.listen] == [1, 2]
    assert len(server.relays) == 1


def test_the_remotes_id_may_stand_in_its_address(load: Loader) -> None:
    client = load(LIBP2P_REMOTE_MULTIADDRS=f"{RELAY}/p2p-circuit/p2p/{SERVER_ID}")
    assert client.remotes[0].peer_id == SERVER_ID


def test_a_remote_without_address_is_dialed_through_the_relays(load: Loader) -> None:
    client = load(LIBP2P_REMOTE_PEER_ID=SERVER_ID, LIBP2P_RELAY_MULTIADDRS=RELAY)
    assert [relay.addr for relay in client.remotes[0].addrs] == [RELAY]


def test_a_relay_takes_its_listen_addresses_alone(load: Loader) -> None:
    relay = load(role="relay", LIBP2P_LISTEN_MULTIADDRS="/ip4/0.0.0.0/tcp/1", LIBP2P_RELAY_MULTIADDRS="nonsense")
    assert [address.port for address in relay.listen] == [1]
    refusal = load.refused(role="relay", LIBP2P_LISTEN_MULTIADDRS=f"{RELAY}/p2p-circuit")
    assert "LIBP2P_LISTEN_MULTIADDRS" in str(refusal)


@pytest.mark.parametrize(
    ("environ", "parts"),
    [
        ({"LIBP2P_RELAY_MULTIADDRS": "/ip4/203.0.113.10/tcp/4011"}, ("relays", "LIBP2P_RELAY", "relay's peer id")),
        ({"LIBP2P_LISTEN_MULTIADDRS": "/ip4/x/tcp/1/p2p-circuit"}, ("relays", "LIBP2P_LISTEN", "not IPv4")),
        ({"LIBP2P_REMOTE_MULTIADDRS": "/ip4/203.0.113.10"}, ("remotes", "LIBP2P_REMOTE_MULTIADDRS", "only TCP")),
        ({"LIBP2P_REMOTE_MULTIADDRS": RELAY}, ("remotes", "which peer to dial", "LIBP2P_REMOTE_PEER_ID")),
        ({"LIBP2P_REMOTE_PEER_ID": "server"}, ("remotes", "LIBP2P_REMOTE_PEER_ID", '"server"')),
        ({"LIBP2P_REMOTE_PEER_ID": SERVER_ID}, ("remotes", "LIBP2P_REMOTE_PEER_ID", "has no address")),
        (
            {
                "LIBP2P_REMOTE_PEER_ID": SERVER_ID,
                "LIBP2P_REMOTE_MULTIADDRS": f"{RELAY}/p2p-circuit/p2p/{CLIENT_ID}",
            },
            ("remotes", "LIBP2P_REMOTE_PEER_ID and LIBP2P_REMOTE_MULTIADDRS", CLIENT_ID),
        ),
    ],
)
def test_slips_name_the_variable(load: Loader, environ: dict[str, str], parts: tuple[str, ...]) -> None:
    message = str(load.refused(**environ))
    for part in parts:
        assert part in message


ENTRIES = st.text(max_size=30) | st.lists(
    st.sampled_from(["ip4", "203.0.113.10", "tcp", "4011", "p2p", RELAY_ID, "p2p-circuit", ",", ";", "x", ""]),
    max_size=12,
).map("/".join)


@given(
    st.sampled_from(["relay", "peer"]),
    st.dictionaries(st.sampled_from([*seed.LISTEN, *seed.RELAY, *seed.REMOTE, seed.REMOTE_ID]), ENTRIES),
)
def test_whatever_the_variables_hold_there_are_settings_or_one_line(role: str, environ: dict[str, str]) -> None:
    error = refusal(load_settings, role, None, environ)
    assert error is None or str(error).isprintable()
    assert error is None or any(name in str(error) for name in environ)
