"""Evidence of two native programs over the punched path with one thing changed: it does not pass, and says why."""

from __future__ import annotations

import pytest

from tests.evidence import native_doctors as doctors
from tests.evidence.corpus import NATIVE_LATER, recorded
from tests.evidence.judging import Workbench
from tests.evidence.native_doctors import Doctor, without

CLIENT, SERVER = "the log of kaspa-native-client on client", "the log of kaspa-native-server on server"

CASES: list[tuple[Doctor, str]] = [
    (doctors.earlier_log, f"handshake.server: {SERVER} has no peer.connected with direction=incoming addr=[::1]:"),
    (doctors.earlier_log_readdressed, "handshake.server: the handshake in the log of kaspa-native-server on server is"),
    (doctors.earlier_log_set_right, "native.versions: the Version message that one native program sent is not"),
    (without("client", "accepted version"), f"handshake.client: {CLIENT} has no kaspa.version.received before"),
    (without("server", "accepted verack"), f"handshake.server: {SERVER} has no kaspa.verack.received before"),
    (without("client", "accepted ready"), f"handshake.client: {CLIENT} has no kaspa.ready.received before"),
    (without("server", "P2P Connected"), f"handshake.server: {SERVER} has no peer.connected"),
    (without("server", "sending version"), f"native.versions: {SERVER} does not show both Version messages"),
    (doctors.out_of_order, f"handshake.server: the handshake's lines in {SERVER} are out of order"),
    (doctors.connected_twice, f"handshake.client: {CLIENT} has peer.connected 2 times"),
    (doctors.interleaved, f"handshake.server: two handshakes run at once in {SERVER}"),
    (doctors.half_a_handshake_before, f"handshake.server: a handshake that {SERVER} does not show whole ends"),
    (doctors.of_a_third, f"handshake.server: {SERVER} has no peer.connected with direction=incoming"),
    (doctors.version_without_id, f"native.versions: {CLIENT} does not show both Version messages"),
    (doctors.another_callers, "native.client: client: kaspa-native-client has no part in a socket [::1]:60000"),
    (doctors.no_caller, "stream.accepted in the journal of server does not say whose socket called"),
    (doctors.called_by_unix, "stream.accepted in the journal of server does not say whose socket called"),
    (doctors.of_another_unit, "native.client: client: kaspa-native-client has no part in a socket"),
    (doctors.carried_by_another, "native.server: server: kaspa-peer has no part in a socket"),
    (doctors.local_socket_closing, "native.server: server: kaspa-native-server has no part in a socket"),
    (doctors.not_running, "native.client: kaspa-native-client on client was not active during the session"),
    (doctors.server_restarted, "native.server: kaspa-native-server on server was started again during the run"),
    (doctors.server_replaced, "native.server: kaspa-native-server on server was started again during the run"),
    (doctors.start_unknown, "native.client: client did not say which start of kaspa-native-client this is"),
    (doctors.unit_of_another_name, "native.client: client: the snapshot is of kaspa-native-server, not of"),
    (doctors.nothing_of_the_program, "native.server: server said nothing of kaspa-native-server during the session"),
    (doctors.door_unknown, "client does not say where it listens for server"),
    (doctors.door_of_unix, "client does not say where it listens for server"),
    (doctors.backend_unknown, "native.server: server does not report the address of its backend"),
    (doctors.silent_socket, "native.client: kaspa-native-client on client sent 0 bytes and received 0; a Kaspa"),
    (doctors.uncounted_socket, "native.client: client: the socket of kaspa-native-client has no byte counts"),
    (doctors.ends_count_differently, "native.client: client: the two ends of the socket of kaspa-native-client count"),
    (doctors.programs_count_differently, "native.bytes: kaspa-native-client on client sent 342 bytes and received 259"),
    (doctors.stream_carried_less, "native.bytes: server says that the stream carried 304 bytes out and 10 in"),
    (doctors.stream_uncounted, "native.bytes: client does not say how many bytes the session's stream carried"),
    (doctors.idle, "bytes.session: client's direct socket carried 0 bytes out and 0 in, the native session alone took"),
    (doctors.another_connection, "socket.client: client: the socket 10.1.0.2:4012 -> 203.0.113.30:4012 was replaced"),
    (doctors.on_the_relay_too, "bytes.relay: 400 bytes went between client and the relay during the native session"),
    (
        doctors.relay_looked_too_early,
        "clocks: the session was seen on server when not all hosts had been looked at before",
    ),
    (doctors.clock_set, "clocks: the clock of client was set by +600 s between the snapshots"),
    (doctors.older_stream, "handshake.client: stream.opened in the journal of client is older than the look"),
    (doctors.handshake_before_the_stream, "handshake.server: the handshake in the log of kaspa-native-server on"),
    (doctors.handshake_after_the_look, "handshake.client: the handshake in the log of kaspa-native-client on"),
    (doctors.ended_before, "alive: server ended the session before it could be judged: reset"),
    (doctors.not_listed, "alive: client does not list the session during the session"),
    (doctors.not_carried, "alive: client lists the session as"),
    (doctors.log_lost, "hosts: no log of kaspa-native-client from client: native.log: No such file or directory"),
    (doctors.server_log_lost, "hosts: no log of kaspa-native-server from server: native.log: No such file"),
    (doctors.look_lost, "hosts: no snapshot during the session from server: snapshot-during.json: No such file"),
    (doctors.look_in_vain, "hosts: the snapshot during the session from server is incomplete: there is no session on"),
    (doctors.journal_lost, "hosts: no journal from client"),
    (doctors.opened_twice, "stream: the journal of client has stream.opened 2 times"),
    (doctors.a_later_stream_of_the_run, "stream: the journal of server has no stream.accepted with session="),
    (doctors.not_native_by_the_run, "handshake.client: the journal of client has no kaspa.version.received"),
]


@pytest.mark.parametrize(("doctor", "reason"), CASES, ids=[doctor.__name__ for doctor, _ in CASES])
def test_it_does_not_pass_and_says_why(doctor: Doctor, reason: str, workbench: Workbench) -> None:
    evidence = recorded(NATIVE_LATER)
    doctor(evidence)
    report = workbench.judge(evidence)
    assert (report["verdict"], report["path"], report["exit_code"]) == ("FAIL", "unproven", 1)
    said = [report["reason"], *(f"{piece['piece']}: {piece['detail']}" for piece in report["proof"]["pieces"])]
    assert any(reason in text for text in said), said
    assert report["proof"]["missing"]
