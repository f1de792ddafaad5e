"""External backends in an inventory: each wrong combination is one sentence with its remedy."""

from __future__ import annotations

from typing import Any

import kaspa_backends
import pytest
from kaspa_backends import Place, kaspa_backend_problems, kaspa_local_ports, place

GROUPS = {"relays": ["relay"], "peers": ["server", "client"]}
SERVER = {"kaspa_peer_backend": "external", "kaspa_peer_backend_address": "127.0.0.1:16111"}
CLIENT = {
    "kaspa_peer_backend": "external",
    "kaspa_peer_dials": ["server"],
    "kaspa_peer_dial_listens": {"server": "127.0.0.1:16211"},
}
NATIVE_SERVER = {**SERVER, "kaspa_peer_backend_address": "[::1]:50051", "kaspa_native_programs": ["server"]}
NATIVE_CLIENT = {**CLIENT, "kaspa_peer_dial_listens": {"server": "[::1]:50051"}, "kaspa_native_programs": ["client"]}


def problems(
    server: dict[str, Any], client: dict[str, Any] | None = None, relay: dict[str, Any] | None = None
) -> list[str]:
    hostvars = {"server": server, "client": CLIENT if client is None else client, "relay": relay or {}}
    return kaspa_backend_problems(GROUPS, hostvars)


@pytest.mark.parametrize(
    ("server", "client"),
    [
        ({}, {"kaspa_peer_dials": ["server"]}),
        (SERVER, CLIENT),
        (SERVER, {"kaspa_peer_dials": ["server"]}),
        ({}, CLIENT),
        (NATIVE_SERVER, NATIVE_CLIENT),
        (NATIVE_SERVER, {"kaspa_peer_dials": ["server"]}),
        ({}, NATIVE_CLIENT),
        ({"kaspa_peer_backend": "external"}, {}),
    ],
)
def test_what_works(server: dict[str, Any], client: dict[str, Any]) -> None:
    assert problems(server, client) == []


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"kaspa_peer_backend": "external"}, "no kaspa_peer_backend_address, though client dials it; set it to where"),
        ({"kaspa_peer_backend_address": "127.0.0.1:1"}, "sets kaspa_peer_backend_address, which an embedded backend"),
        ({**SERVER, "kaspa_peer_backend_address": "kaspad:16111"}, "has the kaspa_peer_backend_address 'kaspad:16111'"),
        ({**SERVER, "kaspa_peer_backend_address": 16111}, "has the kaspa_peer_backend_address 16111; expected"),
        ({**SERVER, "kaspa_peer_backend_address": "unix:/tmp/k"}, "which the hardened service does not see; put"),
        ({**SERVER, "kaspa_native_programs": ["server"]}, "has the native server, which listens at [::1]:50051"),
        ({**NATIVE_SERVER, "kaspa_node_manager": "process"}, "has kaspa_native_programs, which only systemd runs; set"),
    ],
)
def test_a_backend_that_can_not_work(server: dict[str, Any], said: str) -> None:
    (problem,) = problems(server)
    assert problem.startswith("server ")
    assert said in problem
    assert ";" in problem


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ({"kaspa_peer_dial_listens": {}}, "dials server for an external backend, and no program could reach it"),
        ({"kaspa_peer_backend": "embedded"}, "sets kaspa_peer_dial_listens, which an embedded backend has no use for"),
        ({"kaspa_peer_dials": []}, "has server in kaspa_peer_dial_listens and does not dial it"),
        ({"kaspa_peer_dial_listens": {"server": "0.0.0.0:16211"}}, "open to the network"),
        ({"kaspa_peer_dial_listens": {"server": "::1:16211"}}, "has '::1:16211' for server in kaspa_peer_dial_listens"),
        ({"kaspa_peer_dial_listens": {"server": "unix:/run/kaspa-peer/s"}}, "name in kaspa_peer_socket_group whom"),
        (
            {"kaspa_peer_dial_listens": {"server": "unix:/run/s"}, "kaspa_peer_socket_group": "kaspad"},
            "where no other program could connect; put the socket below /run/kaspa-peer/",
        ),
        ({"kaspa_peer_backend_address": "127.0.0.1:16211"}, "it would be connected to itself; change one"),
        ({"kaspa_peer_allow": ["any"]}, "no kaspa_peer_backend_address, though its kaspa_peer_allow lets peers in"),
        ({"kaspa_native_programs": ["client"]}, "has the native client, which connects to [::1]:50051 and nowhere"),
    ],
)
def test_a_dial_that_can_not_work(client: dict[str, Any], said: str) -> None:
    (problem,) = problems(SERVER, {**CLIENT, **client})
    assert problem.startswith("client ")
    assert said in problem
    assert ";" in problem


def test_two_hosts_at_one_address() -> None:
    client = {**CLIENT, "kaspa_peer_dials": ["server", "other"]}
    client["kaspa_peer_dial_listens"] = {"server": "127.0.0.1:16211", "other": "127.0.0.1:16211"}
    assert "has one address for two hosts" in "".join(problems(SERVER, client))


def test_both_native_programs_on_one_host_would_only_meet_each_other() -> None:
    client = {**NATIVE_CLIENT, **NATIVE_SERVER, "kaspa_native_programs": ["server", "client"]}
    assert "client has both kaspa_native_programs" in "\n".join(problems(NATIVE_SERVER, client))


def test_native_programs_stand_beside_peers() -> None:
    (problem,) = problems({}, {}, relay={"kaspa_native_programs": ["server"]})
    assert problem.startswith("relay is a relay and has kaspa_native_programs; ")


def test_unix_sockets_of_plain_processes_may_be_anywhere() -> None:
    client = {**CLIENT, "kaspa_node_manager": "process", "kaspa_peer_dial_listens": {"server": "unix:/srv/s"}}
    assert problems(SERVER, client) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:16111", Place(address="127.0.0.1", port=16111)),
        ("[0::1]:50051", Place(address="::1", port=50051)),
        ("unix:/run/a.sock", Place(path="/run/a.sock")),
        ("unix:a.sock", None),
        ("127.0.0.1", None),
        ("127.0.0.1:0", None),
        ("127.0.0.1:65536", None),
        ("127.0.0.300:1", None),
        ("[127.0.0.1]:1", None),
        ("::1:1", None),
        (None, None),
    ],
)
def test_places(text: object, expected: Place | None) -> None:
    assert place(text) == expected


def test_the_ports_that_a_deploy_takes() -> None:
    assert kaspa_local_ports({}) == []
    assert [(each["port"], each["unit"]) for each in kaspa_local_ports(NATIVE_CLIENT)] == [
        (50051, "kaspa-peer.service")
    ]
    assert [(each["port"], each["unit"]) for each in kaspa_local_ports(NATIVE_SERVER)] == [
        (50051, "kaspa-native-server.service")
    ]
    assert kaspa_local_ports({"kaspa_peer_dial_listens": {"server": "unix:/run/kaspa-peer/s"}}) == []


def test_the_native_address_is_a_place() -> None:
    assert place(kaspa_backends.NATIVE_ADDRESS) == Place(address="::1", port=50051)
