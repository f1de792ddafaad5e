"""Runs without a session: what the user is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kaspa_node import milestones as m
from tests.unit.evidence.builder import CLIENT, RELAY, RUN, SERVER, Evidence, Log, complete
from tests.unit.evidence.conftest import Judge

DIALED = {"addr": f"/ip4/203.0.113.10/tcp/4011/p2p/{RELAY}/p2p-circuit", "peer": SERVER, "run": RUN}
Scene = Callable[[dict[str, Log], Evidence], None]


def failed(scene: Scene, error: str = "timed out after 30 s") -> Evidence:
    """A run that ended without a session; `scene` writes the journals."""
    evidence = complete()
    evidence.run["session"] = {"error": error}
    del evidence.run["exercise"]
    logs = {host: Log() for host in ("relay", "server", "client")}
    logs["server"].plain(-9, "started long ago")
    scene(logs, evidence)
    evidence.journals = {host: log.lines for host, log in logs.items()}
    return evidence


def circuit(logs: dict[str, Log]) -> None:
    logs["client"].at(0.1, m.DIAL_STARTED, **DIALED)
    logs["server"].at(0.2, m.CIRCUIT_INBOUND, peer=CLIENT, relay=RELAY, conn="c0")
    logs["client"].at(0.2, m.CIRCUIT_OUTBOUND, relay=RELAY, peer=SERVER, conn="c0", seconds=0.1, run=RUN)


def stream(logs: dict[str, Log]) -> None:
    circuit(logs)
    logs["client"].at(0.3, m.STREAM_OPENED, peer=SERVER, session="c0.1", conn="c0", path="relayed", run=RUN)


def unreachable(logs: dict[str, Log], evidence: Evidence) -> None:
    evidence.run["hosts"]["server"]["unreachable"] = "Connection timed out"


def own_id(logs: dict[str, Log], evidence: Evidence) -> None:
    evidence.run["hosts"]["client"]["peer_id"] = SERVER


def relay_down(logs: dict[str, Log], evidence: Evidence) -> None:
    logs["client"].at(0.1, m.DIAL_STARTED, **DIALED)
    for snapshot in evidence.both("relay"):
        snapshot["service"] |= {"active": False, "pid": 0, "invocation": ""}


def rejected_by_server(logs: dict[str, Log], evidence: Evidence) -> None:
    stream(logs)
    logs["server"].at(0.4, m.STREAM_ACCEPTED, peer=CLIENT, session="c0.1", conn="c0", path="relayed")
    why = "wrong network kaspa-mainnet, expected kaspa-simnet"
    logs["server"].at(0.5, m.REJECT_SENT, reason=why, addr="[fd00::1]:1", peer=CLIENT, session="c0.1")
    logs["client"].at(0.6, m.REJECT_RECEIVED, reason=why, addr="[fd00::1]:1", peer=SERVER, session="c0.1")


def rejected_without_reason(logs: dict[str, Log], evidence: Evidence) -> None:
    stream(logs)
    logs["client"].at(0.6, m.REJECT_RECEIVED, addr="[fd00::1]:1", peer=SERVER, session="c0.1")


def not_allowed(logs: dict[str, Log], evidence: Evidence) -> None:
    logs["client"].at(0.1, m.DIAL_STARTED, **DIALED)
    logs["relay"].at(0.05, m.PEER_REFUSED, what="a reservation", peer="12D3KooWStranger", count=1)
    logs["relay"].at(0.1, m.PEER_REFUSED, what="a reservation", peer=CLIENT, count=2)


def no_answer(logs: dict[str, Log], evidence: Evidence) -> None:
    logs["client"].at(0.1, m.DIAL_STARTED, **DIALED)
    for snapshot in evidence.both("server"):
        snapshot |= {"status": None, "error": "status: no answer on /run/kaspa-node/control.sock within 10 s"}


def no_reservation(logs: dict[str, Log], evidence: Evidence) -> None:
    logs["client"].at(0.1, m.DIAL_STARTED, **DIALED)
    logs["client"].at(0.2, m.DIAL_WAITING, peer=SERVER, relay=RELAY, delay=1, run=RUN)


def no_reservation_and_why(logs: dict[str, Log], evidence: Evidence) -> None:
    logs["client"].at(0.1, m.DIAL_STARTED, **DIALED)
    logs["relay"].at(0.1, m.RELAY_CIRCUIT_DENIED, src=CLIENT, dst=SERVER, status="NO_RESERVATION")
    logs["server"].at(0.1, m.RESERVATION_FAILED, relay=RELAY, reason="connection refused", delay=2)


def relay_unreachable(logs: dict[str, Log], evidence: Evidence) -> None:
    logs["client"].at(0.1, m.RESERVATION_LOST, relay=RELAY, reason="connection timed out")
    logs["client"].at(0.1, m.DIAL_STARTED, **DIALED)
    logs["client"].at(0.2, m.DIAL_FAILED, peer=SERVER, reason="no route", run=RUN)


def handshake_failed(logs: dict[str, Log], evidence: Evidence) -> None:
    stream(logs)
    logs["client"].at(0.5, m.HANDSHAKE_FAILED, bound="outbound", addr="a", reason="no Version in 5 s", peer=SERVER)


def not_punched(logs: dict[str, Log], evidence: Evidence) -> None:
    circuit(logs)
    logs["client"].at(9.5, m.PUNCH_FAILED, reason="timed out", peer=SERVER, attempt=3, relayed="c0", seconds=9)


def dial_failed(logs: dict[str, Log], evidence: Evidence) -> None:
    logs["client"].at(0.1, m.DIAL_STARTED, **DIALED)
    logs["client"].at(0.2, m.DIAL_FAILED, peer=SERVER, reason="another peer id answers", run=RUN)


def server_frozen(logs: dict[str, Log], evidence: Evidence) -> None:
    stream(logs)


def nothing_tried(logs: dict[str, Log], evidence: Evidence) -> None:
    logs["client"].at(0.1, m.DIAL_STARTED, **(DIALED | {"run": "20261123T000000Z-0000"}))


def unknown(logs: dict[str, Log], evidence: Evidence) -> None:
    logs["client"].at(0.1, m.DIAL_STARTED, **DIALED)


CASES: list[tuple[Scene, str, str]] = [
    (unreachable, "unreachable", "server could not be reached: Connection timed out (missing: dial.started on client)"),
    (own_id, "own id", f"client and server have the same peer id {SERVER} (missing: dial.started on client)"),
    (relay_down, "service down", "kaspa-relay on relay is not running (missing: circuit.outbound on client)"),
    (
        rejected_by_server,
        "rejected",
        "server rejected the Kaspa handshake: wrong network kaspa-mainnet, expected kaspa-simnet "
        "(missing: kaspa.version.received on server)",
    ),
    (
        rejected_without_reason,
        "rejected",
        "server rejected the Kaspa handshake: no reason given (missing: stream.accepted on server)",
    ),
    (
        not_allowed,
        "not allowed",
        "relay refused a reservation from client: not on its allow list (missing: circuit.outbound on client)",
    ),
    (
        no_answer,
        "no answer",
        "kaspa-peer on server is running, but does not answer (missing: circuit.outbound on client)",
    ),
    (
        no_reservation,
        "no reservation",
        "the relay relay has no reservation for server (missing: circuit.outbound on client)",
    ),
    (
        no_reservation_and_why,
        "no reservation",
        "the relay relay has no reservation for server (connection refused) (missing: circuit.outbound on client)",
    ),
    (
        relay_unreachable,
        "relay unreachable",
        "client has no reservation on the relay relay: connection timed out (missing: circuit.outbound on client)",
    ),
    (
        handshake_failed,
        "handshake failed",
        "the Kaspa handshake failed on client: no Version in 5 s (missing: stream.accepted on server)",
    ),
    (not_punched, "not punched", "no hole punch succeeded: timed out (missing: stream.opened on client)"),
    (
        dial_failed,
        "dial failed",
        "client could not reach server: another peer id answers (missing: circuit.outbound on client)",
    ),
    (
        server_frozen,
        "server silent",
        "server stopped answering: its journal has no stream.accepted of this run (missing: stream.accepted on server)",
    ),
    (
        nothing_tried,
        "nothing tried",
        f"the journal of client has no line of run {RUN} (missing: dial.started on client)",
    ),
    (unknown, "unknown", "timed out after 30 s (missing: circuit.outbound on client)"),
]


@pytest.mark.parametrize(("scene", "cause", "reason"), CASES, ids=[scene.__name__ for scene, _, _ in CASES])
def test_the_reason_names_cause_milestone_and_host(scene: Scene, cause: str, reason: str, judged: Judge) -> None:
    report = judged(failed(scene))
    assert (report["verdict"], report["path"], report["exit_code"]) == ("FAIL", "none", 1)
    assert report["reason"] == f"No Kaspa handshake: {reason}"
    assert report["failure"]["cause"] == cause
    assert report["hint"]
    assert report["proof"]["pieces"] == []


def test_the_last_lines_before_the_break_are_quoted(judged: Judge) -> None:
    report = judged(failed(server_frozen))
    assert (report["failure"]["milestone"], report["failure"]["host"]) == ("stream.accepted", "server")
    (line,) = report["failure"]["last_lines"]
    assert line["line"] == 2
    assert "milestone=circuit.inbound" in line["text"]


def test_without_the_clients_journal_its_error_is_all_that_is_known(judged: Judge) -> None:
    def lost(logs: dict[str, Log], evidence: Evidence) -> None:
        evidence.files["client/journal.log"] = b""

    def no_journal(logs: dict[str, Log], evidence: Evidence) -> None:
        for snapshot in evidence.both("client"):
            del snapshot["time"]

    assert judged(failed(lost))["failure"]["cause"] == "nothing tried"
    report = judged(failed(no_journal))
    assert report["clock_skew"]["client"] is None


def test_a_session_that_broke_off_after_every_milestone_has_none_missing(judged: Judge) -> None:
    evidence = complete()
    evidence.run["session"] = {"error": "the control socket closed"}
    report = judged(evidence)
    assert report["reason"] == "No Kaspa handshake: the control socket closed"
    assert report["failure"] == {"cause": "unknown", "milestone": None, "host": None, "last_lines": []}


def test_no_session_was_asked_for(judged: Judge) -> None:
    evidence = failed(unknown)
    evidence.run["session"] = None
    assert judged(evidence)["reason"].startswith("No Kaspa handshake: no session was asked for")


def test_without_its_peer_id_the_run_is_still_found_by_its_own_id(judged: Judge) -> None:
    evidence = failed(stream_then_unknown_ids)
    assert judged(evidence)["failure"]["milestone"] == "stream.accepted"


def stream_then_unknown_ids(logs: dict[str, Log], evidence: Evidence) -> None:
    stream(logs)
    logs["relay"].at(0.2, m.RELAY_CIRCUIT_CLOSED, circuit="c1")
    evidence.run["hosts"]["server"]["peer_id"] = None


def test_peer_ids_that_are_not_known_match_no_pair(judged: Judge) -> None:
    def nobody(logs: dict[str, Log], evidence: Evidence) -> None:
        logs["relay"].at(0.2, m.RELAY_CIRCUIT_CLOSED, circuit="c1")
        for host in ("client", "server"):
            evidence.run["hosts"][host]["peer_id"] = None

    assert judged(failed(nobody))["milestones"] == []


@pytest.mark.parametrize(
    ("punch_reason", "fallback", "expected"),
    [
        (None, None, "no hole punch was tried"),
        ("the policy is relay-only", None, "the policy is relay-only"),
        ("the policy is relay-only", "the server gave no address", "the policy is relay-only"),
        (None, "the server gave no address", "the server gave no address"),
    ],
)
def test_why_a_session_is_relayed(punch_reason: str | None, fallback: str | None, expected: str, judged: Judge) -> None:
    evidence = complete("relayed", expect="any", attempt=0)
    evidence.run["session"]["punch"]["reason"] = punch_reason
    if fallback is not None:
        log = Log()
        log.at(0.65, m.PATH_FALLBACK, peer=SERVER, reason=fallback, run=RUN)
        evidence.journals["client"] += log.lines
    assert judged(evidence)["reason"] == f"The handshake works over the relay: {expected}"


ASKED_FOR = "Nothing to do: the policy asks for the relay."
OPEN_A_PORT = "Open 4012/tcp towards one of the peers"


@pytest.mark.parametrize(
    ("punch", "expected"),
    [
        ({"code": "policy-relay-only", "reason": "any sentence"}, ASKED_FOR),
        ({"code": "no-answer", "reason": "the policy is relay-only"}, OPEN_A_PORT),
        # A node that wrote no codes.
        ({"reason": "the policy is relay-only"}, ASKED_FOR),
        ({"reason": "the remote has the policy relay-only"}, OPEN_A_PORT),
        ({}, OPEN_A_PORT),
    ],
)
def test_what_to_do_about_a_relayed_session_follows_from_the_code(
    punch: dict[str, str], expected: str, judged: Judge
) -> None:
    evidence = complete("relayed", expect="any", attempt=0)
    evidence.run["session"]["punch"] = {"attempts": 0, "succeeded": False, **punch}
    assert judged(evidence)["hint"].startswith(expected)


@pytest.mark.parametrize(
    ("server", "client", "expected"),
    [
        (["/ip4/0.0.0.0/tcp/5000"], ["/ip4/0.0.0.0/tcp/5000"], "Open 5000/tcp towards"),
        (["/ip4/0.0.0.0/tcp/5000", "/ip6/::/tcp/5000"], ["/ip4/0.0.0.0/tcp/5001"], "Open 5000/tcp or 5001/tcp towards"),
        (["/ip4/0.0.0.0/tcp/5000"], None, "Open 5000/tcp or 4012/tcp towards"),
        (["/ip4/0.0.0.0/udp/5000"], [], "Open 4012/tcp towards"),
    ],
)
def test_a_hint_names_the_ports_that_the_peers_listen_on(
    server: list[str] | None, client: list[str] | None, expected: str, judged: Judge
) -> None:
    evidence = complete("relayed", expect="any", attempt=0)
    evidence.run["session"]["punch"]["reason"] = None
    for host, listen in (("server", server), ("client", client)):
        for snapshot in evidence.both(host):
            snapshot["status"]["listen"] = listen
    assert judged(evidence)["hint"].startswith(expected)
