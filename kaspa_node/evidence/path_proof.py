"""Pieces of proof for the path: by the kernels' sockets and byte counts, and the relay's counter of the pair."""

from __future__ import annotations

from kaspa_node import milestones as m
from kaspa_node.constants import MAX_PUNCH_ATTEMPTS
from kaspa_node.evidence import measure, native_proof
from kaspa_node.evidence.bundle import Host
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.endpoints import parse_endpoint
from kaspa_node.evidence.findings import Contradiction, Lacking
from kaspa_node.evidence.measure import Growth, Link
from kaspa_node.evidence.session_proof import peer_id, the_exercise, the_session, within_run

PING_BYTES = 24
"""The least TCP payload of one Kaspa ping or pong: HTTP/2 frame header 9, gRPC prefix 5, protobuf 10 and more."""
SESSION_FLOOR = 8 * 1024
"""The least bytes, in both directions, of the exercise: twice what a peer and the relay may exchange in that time."""
RELAY_ALLOWANCE = 4 * 1024
"""Bytes that a peer and the relay may exchange during a direct session (keep-alive, identify); or a tenth of it."""
IN_FLIGHT = 4 * 1024
"""Bytes that may be counted at one end and not yet at the other, because snapshots are not taken at the same moment."""
NATIVE_IN_FLIGHT = 256
"""The same for a native session, which has only some hundred bytes."""


def circuit(case: Case) -> str:
    """The run began with a relayed connection that both journals have, with the same handshake hash."""
    client, server = case.run.client, case.run.server
    outbound = case.find(client, m.CIRCUIT_OUTBOUND, run=case.run.run_id, peer=peer_id(server))
    if not outbound:
        raise Lacking(f"the journal of {client.name} has no {m.CIRCUIT_OUTBOUND} of this run to the server")
    within_run(case, client, outbound[-1])
    for conn in case.circuit_conns():
        if the_session(case).path == "relayed" and conn != the_session(case).conn:
            continue
        if case.find(server, m.CIRCUIT_INBOUND, conn=conn, peer=peer_id(client)):
            return f"relayed connection {conn}"
    raise Lacking(f"the journal of {server.name} has no {m.CIRCUIT_INBOUND} of the same connection")


def punched(case: Case) -> str:
    """A hole punch on this run's relayed connection made the session's connection, at a known attempt."""
    session = the_session(case)
    if not case.punches(session.conn):
        raise Lacking(f"no journal has a {m.PUNCH_SUCCEEDED} of this run for connection {session.conn}")
    attempts = case.attempts()
    if attempts is None or attempts < 1:
        raise Lacking(f"{m.PUNCH_SUCCEEDED} does not say at which attempt")
    if attempts > MAX_PUNCH_ATTEMPTS:
        raise Contradiction(f"attempt {attempts} of a punch that has only {MAX_PUNCH_ATTEMPTS}")
    return f"attempt {attempts}, written by " + " and ".join(host.name for host, _ in case.punches(session.conn))


def direct_link(case: Case, host: Host) -> Link:
    """The ends of the session's direct connection as the host's journal names them."""
    session = the_session(case)
    lines = case.find(host, m.CONNECTION_DIRECT, conn=session.conn, peer=peer_id(case.other(host)))
    if not lines:
        raise Lacking(f"the journal of {host.name} has no {m.CONNECTION_DIRECT} for connection {session.conn}")
    local, remote = (parse_endpoint(lines[-1].fields.get(name, "")) for name in ("local", "remote"))
    if local is None or remote is None:
        raise Lacking(f"{m.CONNECTION_DIRECT} in the journal of {host.name} does not name both ends")
    return local, remote


def logged(case: Case) -> str:
    """Both journals have the direct connection, with the same handshake hash."""
    for host in (case.run.client, case.run.server):
        direct_link(case, host)
    return f"connection {the_session(case).conn} in both journals"


def _direct_growth(case: Case, host: Host) -> Growth:
    return measure.growth(case, host, direct_link(case, host))


def socket_of_client(case: Case) -> str:
    """The client's service owns that connection, with the same socket in both snapshots."""
    return _socket(case, case.run.client)


def socket_of_server(case: Case) -> str:
    """The server's service owns that connection, with the same socket in both snapshots."""
    return _socket(case, case.run.server)


def _socket(case: Case, host: Host) -> str:
    _direct_growth(case, host)
    local, remote = direct_link(case, host)
    return f"{host.name}: {local} -> {remote}"


def mirror_of_client(case: Case) -> str:
    """The client's socket leads to the server's address, as the relay's kernel sees it or as the server has it."""
    return _mirror(case, case.run.client)


def mirror_of_server(case: Case) -> str:
    """The server's socket leads to the client's address, as the relay's kernel sees it or as the client has it."""
    return _mirror(case, case.run.server)


def _mirror(case: Case, host: Host) -> str:
    other = case.other(host)
    remote, own = direct_link(case, host)[1], direct_link(case, other)[0]
    seen = measure.seen_by_relay(case, other)
    if remote in seen:
        return f"{host.name} -> {remote}, where the relay sees {other.name}"
    if remote == own:
        return f"{host.name} -> {remote}, {other.name}'s own address"
    if not seen:
        raise Lacking(f"the relay's sockets do not show where {other.name} comes from")
    where = " or ".join(str(end) for end in sorted(seen))
    if remote.ip in {end.ip for end in seen}:
        raise Lacking(f"{host.name}'s socket leads to {remote}, the relay sees {other.name} at {where}: ports differ")
    raise Contradiction(f"{host.name}'s socket leads to {remote}, but the relay sees {other.name} at {where}")


def floor(case: Case) -> Growth:
    """The least bytes that the session's path must have moved, as the client sees them.

    For a native session these are its own bytes, by the kernel's count of the program's socket.
    """
    if case.run.client.native is not None:
        return native_proof.carried(case, case.run.client)
    least = the_exercise(case).pings * PING_BYTES
    return Growth(least, least)


def total_floor(case: Case) -> int:
    """The least bytes that the session's path must have moved in both directions together."""
    least = floor(case).total
    return least if case.run.client.native is not None else max(least, SESSION_FLOOR)


def _at_least(case: Case, what: str, found: Growth, least: Growth) -> None:
    """found, least: as the same end sees them."""
    if found.sent >= least.sent and found.received >= least.received and found.total >= total_floor(case):
        return
    carried = f"{what} carried {found.sent} bytes out and {found.received} in"
    if case.run.client.native is not None:
        raise Contradiction(f"{carried}, the native session alone took {least.sent} and {least.received}")
    raise Contradiction(f"{carried} during the exercise; it takes {least.sent} each way and {SESSION_FLOOR} together")


def session_bytes(case: Case) -> str:
    """The bytes of the session went over the direct connection, by the kernels' counts at both ends."""
    least = floor(case)
    for host, of_host in ((case.run.client, least), (case.run.server, least.turned)):
        _at_least(case, f"{host.name}'s direct socket", _direct_growth(case, host), of_host)
    grown = _direct_growth(case, case.run.client)
    return f"{grown.sent} bytes out and {grown.received} in, counted by {case.run.client.name}"


def conserved(case: Case) -> str:
    """One end of the direct connection received what the other sent: the two sockets are one connection."""
    client, server = (_direct_growth(case, host) for host in (case.run.client, case.run.server))
    in_flight = IN_FLIGHT if case.run.client.native is None else NATIVE_IN_FLIGHT
    for way, sent, received in (
        ("client to server", client.sent, server.received),
        ("server to client", server.sent, client.received),
    ):
        if abs(sent - received) > max(in_flight, max(sent, received) // 20):
            raise Contradiction(f"{way}: {sent} bytes were sent, {received} received, so these are two connections")
    return f"{client.sent}/{server.received} and {server.sent}/{client.received} bytes sent/received"


def allowance(case: Case) -> int:
    """Bytes that a peer and the relay may exchange while the bytes of a direct session are counted.

    For a native session half of its bytes: a relayed session would show all of them at each of four counters.
    """
    if case.run.client.native is not None:
        return total_floor(case) // 2
    return max(RELAY_ALLOWANCE, _direct_growth(case, case.run.client).total // 10)


def _meanwhile(case: Case) -> str:
    return "during the exercise" if case.run.client.native is None else "during the native session"


def relay_bytes(case: Case) -> str:
    """Almost nothing was sent between the peers and the relay in that time, by the counts at both ends."""
    allowed, said = allowance(case), []
    for host in (case.run.client, case.run.server):
        for by, grown in (
            (host.name, measure.relay_growth(case, host)),
            (case.run.relay.name, measure.relay_growth_at_relay(case, host)),
        ):
            if grown.total > allowed:
                raise Contradiction(
                    f"{grown.total} bytes went between {host.name} and the relay {_meanwhile(case)}, counted by {by}; "
                    f"a direct session allows {allowed}"
                )
            said.append(f"{grown.total} ({host.name}, by {by})")
    return ", ".join(said)


def pair_still(case: Case) -> str:
    """The relay's counter of the pair did not change."""
    circuits, grown = measure.pair_growth(case)
    if circuits or grown:
        raise Contradiction(f"the relay carried {grown} bytes and {circuits} new circuits between the peers meanwhile")
    return "0 bytes, 0 circuits"


def pair_carried(case: Case) -> str:
    """The relay's counter of the pair grew by the bytes of the session."""
    _, grown = measure.pair_growth(case)
    if grown < total_floor(case):
        raise Contradiction(f"the relay carried only {grown} bytes between the peers {_meanwhile(case)}")
    return f"{grown} bytes between the peers"


def relay_carried(case: Case) -> str:
    """The bytes of the session went over both peers' connections to the relay, by the kernels' counts at both ends."""
    least = floor(case)
    for host, of_host in ((case.run.client, least), (case.run.server, least.turned)):
        _at_least(case, f"{host.name}'s connection to the relay", measure.relay_growth(case, host), of_host)
        at_relay = measure.relay_growth_at_relay(case, host)
        _at_least(case, f"the relay's connection to {host.name}", at_relay, of_host.turned)
    grown = measure.relay_growth(case, case.run.client)
    return f"{grown.sent} bytes out and {grown.received} in, counted by {case.run.client.name}"
