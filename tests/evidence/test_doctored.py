"""Evidence of a real direct run with one thing changed: it does not pass, and the user reads why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.evidence import doctors
from tests.evidence.corpus import DIRECT, recorded
from tests.evidence.judging import Workbench
from tests.unit.evidence.builder import CLIENT, SERVER, Evidence

Doctor = Callable[[Evidence], None]
CONN = recorded(DIRECT).run["session"]["conn"]
RUN = recorded(DIRECT).run["run_id"]

CASES: list[tuple[Doctor, str]] = [
    (doctors.earlier_journals, "circuit: the journal of client has no circuit.outbound of this run"),
    (doctors.earlier_time, "circuit: circuit.outbound in the journal of client was not written during this run"),
    (doctors.third_peer, "stream: stream.opened in the journal of client says peer=12D3KooWThird"),
    (doctors.prefix_of_a_peer_id, f"says peer={CLIENT[:-1]}, not {CLIENT}"),
    (
        doctors.longer_peer_id_in_a_journal,
        "circuit: the journal of server has no circuit.inbound of the same connection",
    ),
    (doctors.another_stream_of_the_connection, "stream: the journal of server has no stream.accepted with session="),
    (doctors.truncated, "handshake.server: the journal of server has no kaspa.version.received"),
    (doctors.out_of_order, "handshake.server: the handshake's lines in the journal of server are out of order"),
    (doctors.times_out_of_order, "handshake.server: the handshake's lines in the journal of server are out of order"),
    (doctors.twice, "handshake.client: the journal of client has peer.connected 2 times"),
    (doctors.of_another_process, "socket.client: client: no established socket"),
    (doctors.of_nobody, "does not say whose it is"),
    (doctors.counter_reset, "relay.still: the counter of the relay relay for the pair was reset during the run"),
    (doctors.counter_gone, "relay.still: the counter of the relay relay for the pair was reset during the run"),
    (doctors.counter_never_there, "relay.still: the relay relay counts no circuit between the two peers"),
    (doctors.counters_missing, "relay.still: the relay relay gave no counters after the exercise"),
    (doctors.counted_twice, "relay.still: the relay relay counts one pair twice before the exercise"),
    (doctors.counter_grew, "relay.still: the relay carried 1 bytes and 0 new circuits"),
    (doctors.back_way_grew, "relay.still: the relay carried 10 bytes and 1 new circuits"),
    (doctors.relay_restarted, "services: kaspa-relay on relay was restarted between the snapshots"),
    (doctors.relay_stopped, "services: kaspa-relay on relay was not active after the exercise"),
    (doctors.start_unknown, "services: relay did not say which start of kaspa-relay this is"),
    (doctors.no_service, "services: relay said nothing of its service after the exercise"),
    (doctors.other_service, "services: server: the snapshot is of other, not of kaspa-peer"),
    (doctors.path_died, "alive: client ended the session before it could be judged: reset"),
    (doctors.connection_closed, "alive: server ended the session before it could be judged: no reason given"),
    (doctors.session_not_listed, "alive: server does not list the session after the exercise"),
    (doctors.session_not_ready, "alive: server lists the session as"),
    (doctors.socket_replaced, "socket.server: server: the socket 10.2.0.2:4012 -> 203.0.113.20:4012 was replaced"),
    (doctors.socket_gone, "socket.server: server: no established socket"),
    (doctors.socket_closing, "socket.server: server: no established socket"),
    (doctors.counts_backwards, "socket.server: server: the socket 10.2.0.2:4012 -> 203.0.113.20:4012 counts backwards"),
    (doctors.idle, "bytes.session: client's direct socket carried 0 bytes out and 0 in"),
    (doctors.not_conserved, "bytes.conserved: client to server: 10377 bytes were sent, 19377 received"),
    (doctors.through_the_relay_after_all, "bytes.relay: 40000 bytes went between client and the relay"),
    (doctors.by_the_relays_count, "bytes.relay: 40000 bytes went between server and the relay"),
    (doctors.relay_link_replaced, "bytes.relay: a connection between client and the relay came or went"),
    (doctors.relay_link_replaced_by_its_like, "bytes.relay: a connection between client and the relay came or went"),
    (doctors.no_relay_link, "bytes.relay: client's sockets show no connection between client and the relay"),
    (
        doctors.elsewhere,
        "mirror.client: client's socket leads to 198.51.100.7:4012, but the relay sees server at",
    ),
    (doctors.other_port, "mirror.client: client's socket leads to 203.0.113.30:50000, the relay sees server at"),
    (doctors.unseen_by_the_relay, "mirror.client: the relay's sockets do not show where server comes from"),
    (doctors.unnamed_ends, "connection: connection.direct in the journal of client does not name both ends"),
    (doctors.fourth_attempt, "punch: attempt 4 of a punch that has only 3"),
    (doctors.attempt_unclear, "punch: punch.succeeded does not say at which attempt"),
    (doctors.attempt_zero, "punch: punch.succeeded does not say at which attempt"),
    (doctors.punch_on_another_circuit, "punch: no journal has a punch.succeeded of this run"),
    (doctors.clock_set, "clocks: the clock of server was set by +600 s between the snapshots"),
    (doctors.earlier_snapshots, "clocks: the snapshots of server were not taken during this run"),
    (
        doctors.swapped_snapshots,
        "hosts: no snapshot before the exercise from server: snapshot-before.json: label is",
    ),
    (doctors.host_lost, "hosts: server could not be reached: no route to host"),
    (
        doctors.incomplete,
        "hosts: the snapshot after the exercise from relay is incomplete: the control socket",
    ),
    (doctors.no_status, "identity: relay gave no status after the exercise"),
    (doctors.no_sockets, "relay gave no socket list after the exercise"),
    (doctors.other_program, f"identity: client runs as {SERVER}, but is known as {CLIENT}"),
    (doctors.unknown_peer_id, "identity: the peer id of client is not known"),
    (doctors.one_key_for_two, "identity: two hosts have the same peer id"),
    (doctors.other_session_exercised, f"exercise: session {CONN}.77 was exercised, not that of the run"),
    (doctors.no_pings, "exercise: no ping was answered"),
    (doctors.exercise_failed, "exercise: the session carried no pings: no answer to ping 3"),
    (doctors.not_exercised, "exercise: the session carried no pings: the session was not exercised"),
    (doctors.session_of_nothing, f"session: session {CONN}.x is not one of connection {CONN}"),
    (doctors.with_somebody_else, f"session: the session is with {CLIENT}, not with the server"),
    (doctors.of_no_run, f"session: the session is of run None, not of {RUN}"),
]


@pytest.mark.parametrize(("doctor", "reason"), CASES, ids=[doctor.__name__ for doctor, _ in CASES])
def test_it_does_not_pass_and_says_why(doctor: Doctor, reason: str, workbench: Workbench) -> None:
    evidence = recorded(DIRECT)
    doctor(evidence)
    report = workbench.judge(evidence)
    assert (report["verdict"], report["path"], report["exit_code"]) == ("FAIL", "unproven", 1)
    assert reason in report["reason"]
    assert report["proof"]["missing"]
