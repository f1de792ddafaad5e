from __future__ import annotations

from pathlib import Path
from typing import Any

import kaspa_snapshot
import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import Mark, State

from kaspa_node.errors import ControlError

BY_UNIT = (
    'ESTAB 0 0 10.1.0.2:4012 203.0.113.30:4012 users:(("kaspa-node",pid=77,fd=9)) uid:999 ino:5 sk:a '
    "cgroup:/system.slice/kaspa-peer.service <-> rto:204 bytes_sent:100 bytes_acked:101 bytes_received:99"
)
BY_OTHER = BY_UNIT.replace("kaspa-peer.service", "other.service").replace("pid=77", "pid=78").replace("sk:a", "sk:b")
WANTED: dict[str, Any] = {
    "host": "client",
    "label": "after",
    "controller_time": 1000.0,
    "manager": "systemd",
    "service": "kaspa-peer",
    "directory": None,
    "control": "/run/kaspa-node/control.sock",
    "recorded": None,
    "log_since": {"cursor": "s=1", "offset": 0},
    "native": "",
    "native_since": None,
    "session": None,
}


class Node:
    """A service that is well."""

    def state(self) -> State:
        return State("kaspa-peer", True, 77, "abc")

    def mark(self) -> Mark:
        return Mark("s=2", 0)

    def log_since(self, mark: Mark) -> str:
        return f"lines since {mark.cursor}\n"


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"ss": f"{BY_UNIT}\n{BY_OTHER}\n", "ip": "2: eth0 inet 10.1.0.2/24 brd 10.1.0.255 scope global eth0\n"}
    monkeypatch.setattr(kaspa_snapshot, "service", lambda *_: Node())
    monkeypatch.setattr(kaspa_snapshot, "command", lambda argv: outputs[argv[0]])
    monkeypatch.setattr(kaspa_snapshot.client, "request", lambda *_: {"status": {"role": "peer"}})


def test_all_that_is_to_be_seen() -> None:
    taken = kaspa_snapshot.take(WANTED)
    snapshot = taken["snapshot"]
    assert snapshot["service"] == {"name": "kaspa-peer", "active": True, "pid": 77, "invocation": "abc"}
    assert [entry["cookie"] for entry in snapshot["sockets"]] == ["a"]
    assert snapshot["status"] == {"role": "peer"}
    assert snapshot["error"] is None
    assert snapshot["controller_time"] == 1000.0
    assert taken["log"] == "lines since s=1\n"
    assert taken["mark"] == {"cursor": "s=2", "offset": 0}
    assert taken["facts"]["addresses"] == ["10.1.0.2"]


@pytest.mark.parametrize(
    ("text", "peer_id"),
    [('{"peer_id": "12D3C", "service": "kaspa-peer"}', "12D3C"), ("{}", None), ('{"peer_id": 5}', None), ("[", None)],
)
def test_the_peer_id_that_deploy_wrote_down(text: str, peer_id: str | None, tmp_path: Path) -> None:
    (tmp_path / "kaspa_node.fact").write_text(text)
    facts = kaspa_snapshot.take({**WANTED, "recorded": str(tmp_path / "kaspa_node.fact")})["facts"]
    assert facts["peer_id"] == peer_id
    assert kaspa_snapshot.recorded_peer_id(str(tmp_path / "none")) is None


def test_a_plain_process_owns_sockets_by_its_id() -> None:
    entries = kaspa_snapshot.owned_sockets("process", "kaspa-peer", 78, f"{BY_UNIT}\n{BY_OTHER}\n")
    assert [entry["cookie"] for entry in entries] == ["b"]


def test_a_service_that_does_not_run_owns_nothing() -> None:
    assert kaspa_snapshot.owned_sockets("process", "kaspa-peer", 0, BY_UNIT) == []


def test_a_node_that_does_not_answer_is_evidence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> dict[str, Any]:
        raise ControlError("no node answers")

    monkeypatch.setattr(kaspa_snapshot.client, "request", refuse)
    snapshot = kaspa_snapshot.take(WANTED)["snapshot"]
    assert snapshot["status"] is None
    assert snapshot["sockets"]
    assert snapshot["error"] == "status: no node answers"


def test_sockets_that_can_not_be_listed_are_unknown_and_not_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(argv: list[str]) -> str:
        raise OSError(f"{argv[0]} is gone")

    monkeypatch.setattr(kaspa_snapshot, "command", broken)
    snapshot = kaspa_snapshot.take(WANTED)["snapshot"]
    assert snapshot["sockets"] is None
    assert "ss is gone" in snapshot["error"]


def test_the_operating_system() -> None:
    text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n'
    assert kaspa_snapshot.operating_system(text) == "Debian 12"


NATIVE = "kaspa-native-client"
BY_NATIVE = (
    'ESTAB 0 0 [::1]:40000 [::1]:50051 users:(("kaspa_p2p_clien",pid=99,fd=9)) uid:997 ino:7 sk:c '
    "cgroup:/system.slice/kaspa-native-client.service <-> rto:204 bytes_sent:342 bytes_acked:343 bytes_received:259"
)
STAMP = "2026-11-23 10:15:00.000+00:00"
AWAITED = {"conn": "9f3a51c20b77d0e4", "start": True, "timeout": 60}


class Native:
    """The native program, which is connected."""

    def __init__(self, name: str) -> None:
        self.name = name

    def state(self) -> State:
        return State(self.name, True, 99, "def")

    def mark(self) -> Mark:
        return Mark("s=4", 0)

    def log_since(self, mark: Mark) -> str:
        return f"{STAMP} [INFO ] P2P Connected to outgoing peer [::1]:50051 after {mark.cursor}\n".replace(
            " after s=3", ""
        )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Which commands were run to start something; the session stands from then on."""
    commands: list[list[str]] = []

    def command(argv: list[str]) -> str:
        if argv[0] == "systemctl":
            commands.append(argv)
        return {"ss": f"{BY_UNIT}\n{BY_NATIVE}\n", "ip": ""}.get(argv[0], "")

    sessions = [{"conn": AWAITED["conn"], "state": "carried"}]
    monkeypatch.setattr(kaspa_snapshot, "command", command)
    monkeypatch.setattr(kaspa_snapshot, "NativeService", Native)
    monkeypatch.setattr(kaspa_snapshot.client, "request", lambda *_: {"status": {"sessions": sessions}})
    return commands


def test_a_native_program_is_looked_at_too(started: list[list[str]]) -> None:
    taken = kaspa_snapshot.take({**WANTED, "native": NATIVE, "native_since": {"cursor": "s=3"}})
    assert taken["snapshot"]["native"]["service"] == {"name": NATIVE, "active": True, "pid": 99, "invocation": "def"}
    assert [entry["cookie"] for entry in taken["snapshot"]["native"]["sockets"]] == ["c"]
    assert [entry["cookie"] for entry in taken["snapshot"]["sockets"]] == ["a"]
    assert taken["native_mark"] == {"cursor": "s=4", "offset": 0}
    assert "P2P Connected to outgoing peer" in taken["native_log"]
    assert started == []


def test_a_session_is_waited_for_and_the_program_started_afresh(started: list[list[str]]) -> None:
    wanted = {**WANTED, "native": NATIVE, "native_since": {"cursor": "s=3"}, "session": AWAITED}
    snapshot = kaspa_snapshot.take(wanted)["snapshot"]
    assert started == [["systemctl", "restart", f"{NATIVE}.service"]]
    assert snapshot["error"] is None
    assert 1000.0 <= snapshot["controller_time"] < 1060.0


def test_a_session_of_an_embedded_peer_is_waited_for_without_starting_anything(started: list[list[str]]) -> None:
    snapshot = kaspa_snapshot.take({**WANTED, "session": {**AWAITED, "start": False}})["snapshot"]
    assert snapshot["error"] is None
    assert snapshot["native"] is None
    assert started == []


def test_a_session_that_never_stood_is_an_incomplete_look(started: list[list[str]]) -> None:
    wanted = {**WANTED, "native": NATIVE, "session": {"conn": "0" * 16, "start": False, "timeout": 0}}
    error = kaspa_snapshot.take(wanted)["snapshot"]["error"]
    assert error == f"there is no session on connection {'0' * 16} after 0 s"


def test_a_program_that_can_not_be_started_is_said(monkeypatch: pytest.MonkeyPatch, started: list[list[str]]) -> None:
    def command(argv: list[str]) -> str:
        if argv[0] == "systemctl":
            raise OSError("`systemctl restart kaspa-native-client.service` failed (1): unit not found")
        return ""

    monkeypatch.setattr(kaspa_snapshot, "command", command)
    error = kaspa_snapshot.take({**WANTED, "native": NATIVE, "session": AWAITED})["snapshot"]["error"]
    assert error.startswith("session: `systemctl restart kaspa-native-client.service` failed")
