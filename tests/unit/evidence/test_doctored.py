"""Evidence that somebody changed, or that is of another run: each case says what the user reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kaspa_node import milestones as m
from tests.unit.evidence.builder import CIRCUIT, CLIENT, DIRECT, RUN, SERVER, Evidence, complete
from tests.unit.evidence.conftest import Judge

Doctor = Callable[[Evidence], None]


def earlier_journals(evidence: Evidence) -> None:
    for host in ("client", "server"):
        evidence.journals[host] = [line.replace(RUN, "20261122T101500Z-0000") for line in evidence.journals[host]]


def earlier_time(evidence: Evidence) -> None:
    evidence.journals["client"] = [
        line.replace("2026-11-23 10", "2026-11-23 09") for line in evidence.journals["client"]
    ]


def third_peer(evidence: Evidence) -> None:
    third = "12D3KooWThirdThirdThirdThirdThirdThirdThirdThird1234"
    evidence.journals["client"] = [line.replace(SERVER, third) for line in evidence.journals["client"]]


def prefix_of_a_peer_id(evidence: Evidence) -> None:
    evidence.journals["server"] = [line.replace(CLIENT, CLIENT[:-1]) for line in evidence.journals["server"]]


def truncated(evidence: Evidence) -> None:
    evidence.journals["server"] = evidence.journals["server"][:7]


def out_of_order(evidence: Evidence) -> None:
    lines = evidence.journals["server"]
    lines[-1], lines[-4] = lines[-4], lines[-1]


def times_out_of_order(evidence: Evidence) -> None:
    evidence.replace("server", m.READY_RECEIVED, "10:15:01.000", "10:15:00.100")


def twice(evidence: Evidence) -> None:
    evidence.journals["client"].append(evidence.journals["client"][-1])


def of_another_process(evidence: Evidence) -> None:
    for snapshot in evidence.both("client"):
        snapshot["sockets"][0] |= {"cgroup": "/system.slice/sshd.service", "pids": [1]}


def of_nobody(evidence: Evidence) -> None:
    for snapshot in evidence.both("client"):
        snapshot["sockets"][0] |= {"cgroup": None, "pids": []}


def counter_reset(evidence: Evidence) -> None:
    evidence.after("relay")["status"]["pairs"][0]["bytes_forward"] = 0


def counter_gone(evidence: Evidence) -> None:
    evidence.after("relay")["status"]["pairs"] = []


def counter_never_there(evidence: Evidence) -> None:
    for snapshot in evidence.both("relay"):
        snapshot["status"]["pairs"] = []


def counters_missing(evidence: Evidence) -> None:
    del evidence.after("relay")["status"]["pairs"]


def counted_twice(evidence: Evidence) -> None:
    evidence.before("relay")["status"]["pairs"] *= 2


def counter_grew(evidence: Evidence) -> None:
    evidence.after("relay")["status"]["pairs"][0]["bytes_forward"] += 1


def back_way_grew(evidence: Evidence) -> None:
    back = {"src": SERVER, "dst": CLIENT, "circuits": 1, "bytes_forward": 5, "bytes_backward": 5}
    evidence.after("relay")["status"]["pairs"].append(back)


def relay_restarted(evidence: Evidence) -> None:
    evidence.after("relay")["service"] |= {"pid": 101, "invocation": "f" * 32}


def relay_stopped(evidence: Evidence) -> None:
    evidence.after("relay")["service"]["active"] = False


def start_unknown(evidence: Evidence) -> None:
    evidence.after("relay")["service"]["invocation"] = ""


def no_service(evidence: Evidence) -> None:
    evidence.after("relay")["service"] = None


def other_service(evidence: Evidence) -> None:
    evidence.after("server")["service"]["name"] = "other"


def path_died(evidence: Evidence) -> None:
    line = evidence.journals["client"][-1].partition(" [")[0]
    evidence.journals["client"].append(
        f"{line} [INFO ] P2P, x milestone=peer.disconnected reason=reset path=direct peer={SERVER} session={DIRECT}.3"
    )


def connection_closed(evidence: Evidence) -> None:
    line = evidence.journals["server"][-1].partition(" [")[0]
    evidence.journals["server"].append(f"{line} [INFO ] x milestone=connection.closed peer={CLIENT} conn={DIRECT}")


def session_not_listed(evidence: Evidence) -> None:
    evidence.after("server")["status"]["sessions"] = []


def session_not_ready(evidence: Evidence) -> None:
    evidence.after("server")["status"]["sessions"][0]["state"] = "closed"


def socket_replaced(evidence: Evidence) -> None:
    evidence.after("server")["sockets"][0]["cookie"] = "other"


def socket_gone(evidence: Evidence) -> None:
    del evidence.after("server")["sockets"][0]


def socket_closing(evidence: Evidence) -> None:
    evidence.after("server")["sockets"][0]["state"] = "CLOSE-WAIT"


def counts_backwards(evidence: Evidence) -> None:
    evidence.after("server")["sockets"][0]["bytes_acked"] = 1


def idle(evidence: Evidence) -> None:
    for host in ("client", "server"):
        evidence.snapshots[host, "after"]["sockets"][0] |= {"bytes_acked": 5100, "bytes_received": 5100}


def not_conserved(evidence: Evidence) -> None:
    evidence.after("server")["sockets"][0]["bytes_received"] += 9000


def through_the_relay_after_all(evidence: Evidence) -> None:
    evidence.after("client")["sockets"][1]["bytes_acked"] += 40_000


def by_the_relays_count(evidence: Evidence) -> None:
    evidence.after("relay")["sockets"][0]["bytes_received"] += 40_000


def relay_link_replaced(evidence: Evidence) -> None:
    evidence.after("client")["sockets"][1]["local"] = "10.1.0.2:50000"


def no_relay_link(evidence: Evidence) -> None:
    for snapshot in evidence.both("client"):
        del snapshot["sockets"][1]


def elsewhere(evidence: Evidence) -> None:
    evidence.replace("client", m.CONNECTION_DIRECT, "203.0.113.30:4012", "198.51.100.7:4012")
    for snapshot in evidence.both("client"):
        snapshot["sockets"][0]["remote"] = "198.51.100.7:4012"


def other_port(evidence: Evidence) -> None:
    evidence.replace("client", m.CONNECTION_DIRECT, "203.0.113.30:4012", "203.0.113.30:50000")
    for snapshot in evidence.both("client"):
        snapshot["sockets"][0]["remote"] = "203.0.113.30:50000"


def unseen_by_the_relay(evidence: Evidence) -> None:
    for snapshot in evidence.both("relay"):
        snapshot["status"]["reservations"] = []
    for snapshot in evidence.both("server"):
        snapshot["status"]["relays"] = []


def unnamed_ends(evidence: Evidence) -> None:
    evidence.replace("client", m.CONNECTION_DIRECT, "local=10.1.0.2:4012", "local=somewhere")


def fourth_attempt(evidence: Evidence) -> None:
    evidence.run["session"]["punch"]["attempts"] = 4


def attempt_unclear(evidence: Evidence) -> None:
    evidence.replace("server", m.PUNCH_SUCCEEDED, "attempt=1", "attempt=first")


def attempt_zero(evidence: Evidence) -> None:
    evidence.replace("server", m.PUNCH_SUCCEEDED, "attempt=1", "attempt=0")
    evidence.drop("server", m.PUNCH_STARTED)
    evidence.run["session"]["punch"]["attempts"] = 0


def punch_on_another_circuit(evidence: Evidence) -> None:
    evidence.replace("server", m.PUNCH_SUCCEEDED, f"relayed={CIRCUIT}", "relayed=0000000000000000")


def clock_set(evidence: Evidence) -> None:
    evidence.after("server")["time"] += 600


def earlier_snapshots(evidence: Evidence) -> None:
    for snapshot in evidence.both("server"):
        snapshot["controller_time"] -= 86_400
        snapshot["time"] -= 86_400


def swapped_snapshots(evidence: Evidence) -> None:
    first, last = evidence.both("server")
    evidence.snapshots["server", "before"], evidence.snapshots["server", "after"] = last, first


def host_lost(evidence: Evidence) -> None:
    evidence.run["hosts"]["server"]["unreachable"] = "no route to host"


def incomplete(evidence: Evidence) -> None:
    evidence.after("relay")["error"] = "the control socket did not answer"


def no_status(evidence: Evidence) -> None:
    evidence.after("relay")["status"] = None


def no_sockets(evidence: Evidence) -> None:
    evidence.after("relay")["sockets"] = None


def other_program(evidence: Evidence) -> None:
    evidence.after("client")["status"]["peer_id"] = SERVER


def unknown_peer_id(evidence: Evidence) -> None:
    evidence.run["hosts"]["client"]["peer_id"] = None


def one_key_for_two(evidence: Evidence) -> None:
    evidence.run["hosts"]["relay"]["peer_id"] = SERVER
    for snapshot in evidence.both("relay"):
        snapshot["status"]["peer_id"] = SERVER


def other_session_exercised(evidence: Evidence) -> None:
    evidence.run["exercise"]["session"] = f"{DIRECT}.5"


def no_pings(evidence: Evidence) -> None:
    evidence.run["exercise"]["pings"] = 0


def exercise_failed(evidence: Evidence) -> None:
    evidence.run["exercise"] = {"error": "no answer to ping 3"}


def not_exercised(evidence: Evidence) -> None:
    del evidence.run["exercise"]


def session_of_nothing(evidence: Evidence) -> None:
    evidence.run["session"]["session"] = f"{DIRECT}.x"


def with_somebody_else(evidence: Evidence) -> None:
    evidence.run["session"]["peer_id"] = CLIENT


def of_no_run(evidence: Evidence) -> None:
    evidence.run["session"]["run"] = None


CASES: list[tuple[Doctor, str]] = [
    (earlier_journals, "circuit: the journal of client has no circuit.outbound of this run"),
    (earlier_time, "circuit: circuit.outbound in the journal of client was not written during this run"),
    (third_peer, "stream: stream.opened in the journal of client says peer=12D3KooWThird"),
    (prefix_of_a_peer_id, f"says peer={CLIENT[:-1]}, not {CLIENT}"),
    (truncated, "handshake.server: the journal of server has no kaspa.version.received"),
    (out_of_order, "handshake.server: the handshake's lines in the journal of server are out of order"),
    (times_out_of_order, "handshake.server: the handshake's lines in the journal of server are out of order"),
    (twice, "handshake.client: the journal of client has peer.connected 2 times"),
    (of_another_process, "socket.client: client: no established socket"),
    (of_nobody, "does not say whose it is"),
    (counter_reset, "relay.still: the counter of the relay relay for the pair was reset during the run"),
    (counter_gone, "relay.still: the counter of the relay relay for the pair was reset during the run"),
    (counter_never_there, "relay.still: the relay relay counts no circuit between the two peers"),
    (counters_missing, "relay.still: the relay relay gave no counters after the exercise"),
    (counted_twice, "relay.still: the relay relay counts one pair twice before the exercise"),
    (counter_grew, "relay.still: the relay carried 1 bytes and 0 new circuits"),
    (back_way_grew, "relay.still: the relay carried 10 bytes and 1 new circuits"),
    (relay_restarted, "services: kaspa-relay on relay was restarted between the snapshots"),
    (relay_stopped, "services: kaspa-relay on relay was not active after the exercise"),
    (start_unknown, "services: relay did not say which start of kaspa-relay this is"),
    (no_service, "services: relay said nothing of its service after the exercise"),
    (other_service, "services: server: the snapshot is of other, not of kaspa-peer"),
    (path_died, "alive: client ended the session before it could be judged: reset"),
    (connection_closed, "alive: server ended the session before it could be judged: no reason given"),
    (session_not_listed, "alive: server does not list the session after the exercise"),
    (session_not_ready, "alive: server lists the session as"),
    (socket_replaced, "socket.server: server: the socket 10.2.0.2:4012 -> 203.0.113.20:4012 was replaced"),
    (socket_gone, "socket.server: server: no established socket"),
    (socket_closing, "socket.server: server: no established socket"),
    (counts_backwards, "socket.server: server: the socket 10.2.0.2:4012 -> 203.0.113.20:4012 counts backwards"),
    (idle, "bytes.session: client's direct socket carried 99 bytes out and 100 in"),
    (not_conserved, "bytes.conserved: client to server: 40000 bytes were sent, 49000 received"),
    (through_the_relay_after_all, "bytes.relay: 40800 bytes went between client and the relay"),
    (by_the_relays_count, "bytes.relay: 40800 bytes went between server and the relay"),
    (relay_link_replaced, "bytes.relay: a connection between client and the relay came or went"),
    (no_relay_link, "bytes.relay: client's sockets show no connection between client and the relay"),
    (elsewhere, "mirror.client: client's socket leads to 198.51.100.7:4012, but the relay sees server at 203.0.113.30"),
    (other_port, "mirror.client: client's socket leads to 203.0.113.30:50000, the relay sees server at"),
    (unseen_by_the_relay, "mirror.client: the relay's sockets do not show where server comes from"),
    (unnamed_ends, "connection: connection.direct in the journal of client does not name both ends"),
    (fourth_attempt, "punch: attempt 4 of a punch that has only 3"),
    (attempt_unclear, "punch: punch.succeeded does not say at which attempt"),
    (attempt_zero, "punch: punch.succeeded does not say at which attempt"),
    (punch_on_another_circuit, "punch: no journal has a punch.succeeded of this run"),
    (clock_set, "clocks: the clock of server was set by +600 s between the snapshots"),
    (earlier_snapshots, "clocks: the snapshots of server were not taken during this run"),
    (swapped_snapshots, "hosts: no snapshot before the exercise from server: snapshot-before.json: label is 'after'"),
    (host_lost, "hosts: server could not be reached: no route to host"),
    (incomplete, "hosts: the snapshot after the exercise from relay is incomplete: the control socket did not answer"),
    (no_status, "identity: relay gave no status after the exercise"),
    (no_sockets, "relay gave no socket list after the exercise"),
    (other_program, f"identity: client runs as {SERVER}, but is known as {CLIENT}"),
    (unknown_peer_id, "identity: the peer id of client is not known"),
    (one_key_for_two, "identity: two hosts have the same peer id"),
    (other_session_exercised, f"exercise: session {DIRECT}.5 was exercised, not that of the run"),
    (no_pings, "exercise: no ping was answered"),
    (exercise_failed, "exercise: the session carried no pings: no answer to ping 3"),
    (not_exercised, "exercise: the session carried no pings: the session was not exercised"),
    (session_of_nothing, f"session: session {DIRECT}.x is not one of connection {DIRECT}"),
    (with_somebody_else, f"session: the session is with {CLIENT}, not with the server"),
    (of_no_run, f"session: the session is of run None, not of {RUN}"),
]


@pytest.mark.parametrize(("doctor", "reason"), CASES, ids=[doctor.__name__ for doctor, _ in CASES])
def test_it_does_not_pass_and_says_why(doctor: Doctor, reason: str, judged: Judge) -> None:
    evidence = complete()
    doctor(evidence)
    report = judged(evidence)
    assert (report["verdict"], report["path"], report["exit_code"]) == ("FAIL", "unproven", 1)
    assert reason in report["reason"]
    assert report["proof"]["missing"]
