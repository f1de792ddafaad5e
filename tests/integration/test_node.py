"""Three programs on loopback: relay, server, client. Sessions, their paths, and who gets none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from kaspa_node import milestones, networks
from kaspa_node.errors import RequestFailed
from kaspa_node.kaspa.synthetic import socket_address
from tests.integration.programs import ROOT, Program, Programs, programs
from tests.unit.p2p.parties import peer_id

CLIENT, SERVER, STRANGER, RELAY = 1, 2, 3, 9
RUN = "20261123T101500Z-4f2a"


class Three(NamedTuple):
    """The three programs, and what starts more."""

    relay: Program
    server: Program
    client: Program
    more: Programs

    def pair(self) -> tuple[int, int]:
        """Bytes that the relay has carried from client to server, and back."""
        rows = [
            r
            for r in self.relay.status()["pairs"]
            if (r["src"], r["dst"]) == (self.client.peer_id, self.server.peer_id)
        ]
        return (rows[0]["bytes_forward"], rows[0]["bytes_backward"]) if rows else (0, 0)


@pytest.fixture(scope="module")
def three() -> Iterator[Three]:
    """A relay and a server that know the client and a stranger by name only where they should."""
    with programs() as more:
        known = ",".join(map(peer_id, (CLIENT, SERVER, STRANGER)))
        relay = more.start("relay", "relay", RELAY, allow=known)
        at = relay.address()
        server = more.start("server", "peer", SERVER, relays=at, allow=peer_id(CLIENT), network="simnet")
        server.seen(milestones.RESERVATION_ACCEPTED)
        client = more.start("client", "peer", CLIENT, relays=at, remotes=f"server={peer_id(SERVER)}", network="simnet")
        client.seen(milestones.PEER_CONNECTED)
        yield Three(relay, server, client, more)


def sessions(program: Program) -> dict[str, dict[str, Any]]:
    """The sessions of a program by id."""
    return {str(row["session"]): row for row in program.status()["sessions"]}


def fresh(three: Three, **request: object) -> dict[str, Any]:
    """A fresh session from client to server."""
    return three.client.ask("session", remote="server", run=RUN, timeout=25, **request)


# Paths


def test_a_session_moves_to_the_direct_path(three: Three) -> None:
    since = three.client.mark(), three.server.mark()
    reply = fresh(three)
    assert (reply["path"], reply["run"], reply["peer_id"]) == ("direct", RUN, three.server.peer_id)
    assert reply["punch"] == {"attempts": 1, "succeeded": True, "reason": None, "code": None}
    times = reply["timings"]
    assert times["relayed_dial"] > 0
    assert 0 < times["punch"] <= times["first_direct"]
    assert times["relayed_dial"] + times["punch"] + times["handshake"] <= times["dial_to_ready"] + 0.001
    session, conn = reply["session"], reply["conn"]
    assert session.startswith(f"{conn}.")
    # Each step stands in the log of whoever took it, and the session's id in both.
    for program, start in zip((three.client, three.server), since, strict=True):
        for milestone in (milestones.VERSION_RECEIVED, milestones.VERACK_RECEIVED, milestones.READY_RECEIVED):
            program.seen(milestone, start, session=session)
        connected = program.seen(milestones.PEER_CONNECTED, start, session=session)
        assert connected["path"] == "direct"
        assert program.seen(milestones.PUNCH_SUCCEEDED, start, conn=conn)["attempt"] == "1"
    opened = three.client.seen(milestones.STREAM_OPENED, since[0], session=session)
    assert (opened["run"], opened["protocol"]) == (RUN, "/kaspad/transport/1.0.0")
    assert three.server.seen(milestones.STREAM_ACCEPTED, since[1], session=session)["path"] == "direct"
    assert three.client.seen(milestones.DIAL_STARTED, since[0])["run"] == RUN


def test_both_status_replies_mirror_each_other(three: Three) -> None:
    session = fresh(three)["session"]
    ours, theirs = sessions(three.client)[session], sessions(three.server)[session]
    assert (ours["local"], ours["remote"]) == (theirs["remote"], theirs["local"])
    assert (ours["direction"], theirs["direction"]) == ("outgoing", "incoming")
    assert (ours["run"], theirs["run"]) == (RUN, None)
    for row in (ours, theirs):
        assert min(row["bytes_sent"], row["bytes_received"]) > 0
        assert (row["state"], row["path"], row["applied_protocol"]) == ("ready", "direct", networks.PROTOCOL_VERSION)
        assert row["user_agent"].startswith("/kaspa-node:")
    assert three.client.status()["remotes"][0]["state"] == "direct"
    assert three.server.status()["relays"][0]["state"] == "reserved"
    assert {row["peer_id"] for row in three.relay.status()["reservations"]} >= {three.server.peer_id}


def test_traffic_of_a_direct_session_does_not_touch_the_relay(three: Three) -> None:
    since = three.relay.mark()
    session = fresh(three)["session"]
    circuit = three.relay.seen(milestones.RELAY_CIRCUIT_OPENED, since)["circuit"]
    three.relay.seen(milestones.RELAY_CIRCUIT_CLOSED, since, circuit=circuit)
    before = three.pair()
    done = three.client.ask("exercise", session=session, pings=100)
    assert (done["session"], done["pings"]) == (session, 100)
    assert done["bytes_sent"] > 100 * 10
    assert done["bytes_received"] > 100 * 10
    assert three.pair() == before
    assert three.client.seen(milestones.SESSION_EXERCISED, session=session)["pings"] == "100"


def test_a_relayed_session_is_carried_and_counted_by_the_relay(three: Three) -> None:
    reply = fresh(three, policy="relay-only")
    session = reply["session"]
    assert reply["path"] == "relayed"
    assert reply["punch"]["succeeded"] is False
    assert reply["timings"]["punch"] is None
    ours, theirs = sessions(three.client)[session], sessions(three.server)[session]
    assert ours["address"] == socket_address(three.server.peer_id, "relayed")
    assert theirs["address"] == socket_address(three.client.peer_id, "relayed")
    before = three.pair()
    done = three.client.ask("exercise", session=session, pings=50)
    forward, backward = (new - old for new, old in zip(three.pair(), before, strict=True))
    assert forward > done["bytes_sent"]
    assert backward > done["bytes_received"]
    circuits = three.relay.status()["circuits"]
    assert [(c["src"], c["dst"]) for c in circuits] == [(three.client.peer_id, three.server.peer_id)]


def test_a_session_by_peer_id_and_by_another_policy(three: Three) -> None:
    reply = three.client.ask("session", remote=three.server.peer_id, policy="direct-only", timeout=25)
    assert (reply["path"], reply["run"]) == ("direct", None)


def test_a_fresh_session_ends_the_one_before(three: Three) -> None:
    first = fresh(three)["session"]
    second = fresh(three)["session"]
    assert first != second
    three.server.seen(milestones.PEER_DISCONNECTED, session=first)
    assert set(sessions(three.client)) == {second}
    assert second in sessions(three.server)


# Requests that make no sense


@pytest.mark.parametrize(
    ("what", "request_", "error"),
    [
        ("session", {"remote": "nobody"}, "no remote .*nobody.* is configured here; configured: server"),
        ("session", {"remote": "server", "policy": "sideways"}, "policy is .*sideways"),
        ("session", {"remote": "server", "timeout": "soon"}, "timeout is .*soon"),
        ("session", {"remote": "server", "run": "a b"}, "run is "),
        ("session", {}, "remote is null"),
        ("exercise", {"session": "0.0"}, "no session .*0.0.* is open here"),
        ("exercise", {"session": "0.0", "pings": 0}, "pings is 0"),
        ("dance", {}, "does not know how to .*dance"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_so(
    three: Three, what: str, request_: dict[str, object], error: str
) -> None:
    with pytest.raises(RequestFailed, match=error):
        three.client.ask(what, **request_)
    assert three.client.process.poll() is None


def test_a_relay_answers_status_only(three: Three) -> None:
    with pytest.raises(RequestFailed, match="a relay does not know how to"):
        three.relay.ask("session", remote="server")


# Who is not on the list


def test_a_stranger_gets_no_kaspa_from_a_closed_server(three: Three) -> None:
    known = set(sessions(three.server))
    refused = three.server.status()["counters"]["refused"]
    since = three.server.mark()
    stranger = three.more.start(
        "stranger",
        "peer",
        STRANGER,
        relays=three.relay.address(),
        remotes=f"server={peer_id(SERVER)}",
        network="simnet",
    )
    try:
        stranger.seen(milestones.DIAL_FAILED)
        line = three.server.seen(milestones.PEER_REFUSED, since, peer=peer_id(STRANGER))
        assert line["what"] == "circuit"
        assert three.server.status()["counters"]["refused"] > refused
        assert set(sessions(three.server)) == known
        assert not three.server.all(milestones.STREAM_ACCEPTED, since, peer=peer_id(STRANGER))
        assert not three.server.all(milestones.VERSION_SENT, since, peer=peer_id(STRANGER))
        assert stranger.status()["sessions"] == []
    finally:
        stranger.stop()


def test_a_relay_without_a_list_serves_nobody(three: Three) -> None:
    relay = three.more.start("closed", "relay", 8)
    peer = three.more.start("unlisted", "peer", 7, relays=relay.address())
    try:
        failed = peer.seen(milestones.RESERVATION_FAILED)
        assert failed["reason"] == "the relay answered PERMISSION_DENIED (this peer is not on its allow list)"
        assert relay.seen(milestones.PEER_REFUSED)["peer"] == peer_id(7)
        assert relay.status()["reservations"] == []
        assert relay.status()["counters"]["refused"] >= 1
    finally:
        peer.stop()
        relay.stop()


def test_any_is_possible_and_warned_about(three: Three) -> None:
    relay = three.more.start("open", "relay", 6, allow="any")
    assert relay.seen(milestones.NODE_OPEN)["what"] == "reservations and circuits"
    relay.stop()


# Start and stop


def test_a_second_program_on_the_same_port_says_what_to_do(three: Three) -> None:
    listen = three.relay.address().partition("/p2p/")[0]
    second = three.more.start("second", "relay", 5, listen=listen)
    assert second.process.wait(20) == 2
    second.kill()
    (line,) = second.lines
    assert line.startswith(f"kaspa-node: can't listen on 127.0.0.1:{listen.rpartition('/')[2]}: the port is in use; ")


def test_a_second_program_on_the_same_control_socket_says_what_to_do(three: Three) -> None:
    second = three.more.start("twin", "relay", 5, control=str(three.relay.control))
    assert second.process.wait(20) == 2
    second.kill()
    assert "already running" in second.lines[-1]
    assert three.relay.status()["role"] == "relay"


def test_the_commands_of_the_program_reach_it(three: Three) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kaspa_node", *arguments, "--control", str(three.client.control)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    found = command("session", "server", "--run", RUN, "--json")
    assert found.returncode == 0, found.stderr
    assert '"path": "direct"' in found.stdout
    assert command("session", "nobody").returncode == 1
    assert three.server.peer_id[-6:] in command("status").stdout


def test_sigterm_ends_each_program_within_five_seconds_and_tells_the_other_side(three: Three) -> None:
    session = fresh(three)["session"]
    since = three.server.mark()
    assert three.client.stop() < 5
    assert three.client.process.returncode == 0
    assert three.client.seen(milestones.NODE_STOPPING)["reason"] == "SIGTERM"
    three.client.seen(milestones.NODE_STOPPED)
    assert not three.client.control.exists()
    three.server.seen(milestones.PEER_DISCONNECTED, since, session=session)
    for program in (three.server, three.relay):
        assert program.stop() < 5
        assert program.process.returncode == 0
    for program in (three.client, three.server, three.relay):
        assert not [line for line in program.lines if "[ERROR]" in line or "Traceback" in line]
