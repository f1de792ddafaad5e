"""What `fab status` makes of the answers of relays and peers."""

from __future__ import annotations

from typing import Any

from operations.overview import Seen, Table, tables
from operations.problems import HostProblem
from operations.services import ServiceState

NOW = 10_000.0
RELAY_ID, SERVER_ID, CLIENT_ID = (f"12D3KooW{name:a>40}" for name in ("relay", "server", "client"))


def service(name: str = "kaspa-peer", state: str = "active", **more: Any) -> ServiceState:
    active = state == "active"
    return ServiceState(name, active, state, 7 if active else 0, "abc", **{"since": NOW - 60, **more})


def session(peer_id: str, **more: object) -> dict[str, object]:
    return {
        "peer_id": peer_id,
        "direction": "outgoing",
        "path": "direct",
        "state": "ready",
        "since": NOW - 5,
        "remote": "203.0.113.30:4012",
        "bytes_sent": 10,
        "bytes_received": 2048,
        **more,
    }


def peer(name: str, peer_id: str, **more: object) -> Seen:
    status = {"role": "peer", "peer_id": peer_id, "version": "0.1.0", "network": "mainnet", **more}
    return Seen(name, "peer", f"{name}.example", (service(),), status, None)


RELAY = Seen(
    "relay",
    "relay",
    "relay.example",
    (service("kaspa-relay"),),
    {
        "role": "relay",
        "peer_id": RELAY_ID,
        "version": "0.1.0",
        "reservations": [{}, {}],
        "circuits": [{"src": CLIENT_ID, "dst": "somebody", "bytes_forward": 1, "bytes_backward": 2, "since": NOW}],
        "pairs": [{"circuits": 3, "bytes_forward": 1000, "bytes_backward": 1048}],
        "counters": {"refused": 1, "denied": 2},
    },
    None,
)
CLIENT = peer(
    "client",
    CLIENT_ID,
    relays=[{"peer_id": RELAY_ID, "state": "reserved", "expires": NOW + 120, "observed": "203.0.113.20:4012"}],
    remotes=[{"name": "server", "peer_id": SERVER_ID, "state": "direct"}],
    sessions=[session(SERVER_ID)],
)
SERVER = peer("server", SERVER_ID, relays=[], sessions=[session(CLIENT_ID, direction="incoming")])


def by_title(*seen: Seen) -> dict[str, Table]:
    return {table.title: table for table in tables(seen, NOW)}


def test_everybody_is_called_by_the_name_of_the_host() -> None:
    found = by_title(RELAY, SERVER, CLIENT)
    assert list(found) == ["hosts", "reservations", "sessions", "relays", "circuits"]
    assert [row[:6] for row in found["hosts"].rows] == [
        ("relay", "relay", "kaspa-relay", "active", "1 min 0 s", "0.1.0"),
        ("server", "peer", "kaspa-peer", "active", "1 min 0 s", "0.1.0"),
        ("client", "peer", "kaspa-peer", "active", "1 min 0 s", "0.1.0"),
    ]
    assert found["reservations"].rows == [
        ("client", "relay", "reserved", "2 min 0 s", "203.0.113.20:4012", None),
    ]
    assert [row[:5] for row in found["sessions"].rows] == [
        ("server", "client", "incoming", "direct", "ready"),
        ("client", "server", "outgoing", "direct", "ready"),
    ]
    assert found["sessions"].rows[0][5:] == ("203.0.113.30:4012", "10 B", "2.0 KiB", "5 s")
    assert found["relays"].rows == [("relay", 2, 1, 3, "2.0 KiB", 1, 2)]
    assert found["circuits"].rows == [("relay", "client", "somebody", "1 B", "2 B", "0 s")]


def test_a_remote_that_is_not_reached_is_told_with_the_reason() -> None:
    waiting = [{"name": "server", "peer_id": SERVER_ID, "state": "backoff", "reason": "no reservation"}]
    found = by_title(peer("client", CLIENT_ID, remotes=waiting))
    assert found["remotes without a session"].rows == [("client", "server", "backoff", "no reservation")]
    assert found["sessions"].rows == []


def test_an_external_backend_and_the_programs_beside_it() -> None:
    backend = {"address": "[::1]:50051", "state": "refusing", "reason": "Connection refused", "checked": NOW - 3}
    remotes = [{"name": "server", "peer_id": SERVER_ID, "state": "direct"}]
    seen = peer("client", CLIENT_ID, backend=backend, remotes=remotes)
    native = service("kaspa-native-server", restarts=4)
    found = by_title(Seen(seen.name, seen.role, seen.address, (*seen.services, native), seen.status, None))
    assert found["external backends"].rows == [("client", "[::1]:50051", "refusing", "3 s", "Connection refused")]
    assert found["native programs"].rows == [("client", "kaspa-native-server", "active", "1 min 0 s", 4)]
    assert "remotes without a session" not in found


def test_an_external_backend_that_was_not_called_yet_and_one_that_never_is() -> None:
    uncalled = {"state": "unknown", "reason": None, "checked": None}
    server = peer("server", SERVER_ID, backend={"address": "[::1]:50051", **uncalled})
    client = peer("client", CLIENT_ID, backend={"address": None, **uncalled})
    found = by_title(server, client)
    assert found["external backends"].rows == [("server", "[::1]:50051", "not called yet", "-", None)]
    assert "external backends" not in by_title(client)


def test_answers_of_another_version_do_no_harm() -> None:
    odd: dict[str, object] = {"sessions": [1, None, {}], "relays": "none", "counters": [], "backend": 7}
    found = by_title(peer("client", CLIENT_ID, **odd), Seen("r", "relay", "r", (service(),), {"role": "relay"}, None))
    assert found["sessions"].rows == [("client", "-", None, None, None, None, "-", "-", "-")]
    assert found["relays"].rows == [("r", 0, 0, 0, "0 B", None, None)]


def problem(state: str, error: str | None = None, **more: Any) -> str:
    return str(Seen("client", "peer", "c", (service(state=state, **more),), None, error).problem())


def test_what_is_wrong_with_a_node() -> None:
    assert CLIENT.problem() is None
    assert problem("inactive") == "client: kaspa-peer is inactive: fab start --host client"
    assert problem("failed", result="exit-code") == "client: kaspa-peer has failed (exit-code): fab logs --host client"
    assert problem("active", "no answer") == "client: kaspa-peer runs and does not answer: no answer"
    assert problem("not-found") == "client: no kaspa-peer is deployed there: ansible-playbook deploy.yml"
    not_found = Seen("c", "peer", "c", (service(state="not-found"),), None, None).problem()
    assert isinstance(not_found, HostProblem)


def test_a_node_that_does_not_answer_is_silent() -> None:
    found = by_title(Seen("client", "peer", "c", (service(),), None, "no answer"))
    assert found["hosts"].rows[0][3] == "silent"


def test_json_has_all_of_it() -> None:
    found = CLIENT.as_dict()
    assert (found["role"], found["service"]["pid"], found["native"], found["error"]) == ("peer", 7, [], None)
    assert found["status"] == CLIENT.status


def lacks(**more: object) -> list[str]:
    return [str(each) for each in peer("client", CLIENT_ID, **more).lacks()]


def test_a_wanted_remote_without_a_session_is_a_problem_and_so_is_a_missing_reservation() -> None:
    remote = {"name": "server", "peer_id": SERVER_ID}
    assert CLIENT.lacks() == SERVER.lacks() == RELAY.lacks() == []
    assert lacks(remotes=[{**remote, "state": "backoff", "reason": "no reservation"}]) == [
        "client: no session with server (backoff: no reservation): fab doctor"
    ]
    assert lacks(remotes=[{**remote, "state": "dialing"}]) == ["client: no session with server (dialing): fab doctor"]
    (lost,) = lacks(relays=[{"peer_id": RELAY_ID, "state": "backoff", "reason": "refused"}])
    assert lost.startswith("client: no reservation on relay ")
    assert lost.endswith(" (backoff: refused): fab doctor")
    assert lacks(backend={"address": None}, remotes=[{**remote, "state": "direct"}]) == []
