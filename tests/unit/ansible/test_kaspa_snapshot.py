from __future__ import annotations

from pathlib import Path
from typing import Any

import kaspa_snapshot
import pytest
from ansible.module_utils.kaspa_service import Mark, State

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
