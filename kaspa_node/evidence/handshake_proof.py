"""Pieces of proof for the Kaspa handshake, by the log of the program that speaks Kaspa: peer or native program."""

from __future__ import annotations

from kaspa_node import milestones as m
from kaspa_node.evidence import measure, native_log
from kaspa_node.evidence.bundle import Failure, Host
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.endpoints import Endpoint, parse_endpoint
from kaspa_node.evidence.findings import Contradiction, Lacking
from kaspa_node.evidence.journal_lines import Journal, Line
from kaspa_node.evidence.session_proof import expect, one, peer_id, the_session, within_run

ROUNDING = 0.001
"""Seconds: log lines have milliseconds, snapshots have more."""


def of_client(case: Case) -> str:
    """Version, Verack, Ready and Connected in the log of the dialing side's Kaspa program, during the run."""
    client = case.run.client
    found = lines(case, client)
    for line in found:
        within_run(case, client, line)
    return _numbers(client, found)


def of_server(case: Case) -> str:
    """Version, Verack, Ready and Connected in the log of the server's Kaspa program, for the same session."""
    return _numbers(case.run.server, lines(case, case.run.server))


def lines(case: Case, host: Host) -> list[Line]:
    """Version, Verack, Ready and Connected of the session, as that peer's Kaspa program wrote them. Raises findings."""
    direction = "outgoing" if host is case.run.client else "incoming"
    return _embedded(case, host, direction) if host.native is None else _native(case, host)


def versions(case: Case) -> str:
    """Each native program accepted the Version message of the other: the random id in it is the same."""
    (sent, received), (sent_back, received_there) = (_ids(case, host) for host in (case.run.client, case.run.server))
    if sent != received_there or sent_back != received:
        raise Contradiction("the Version message that one native program sent is not the one that the other accepted")
    return "both ids arrived as they were sent"


def _ids(case: Case, host: Host) -> tuple[str, str]:
    log, (direction, addr) = _native_log(case, host), _connection(case, host)
    return native_log.version_ids(log.lines, f"the log of {program(host)}", direction, addr)


def seconds(case: Case) -> float | None:
    """Opening of the Kaspa stream to Ready, from the peer's reply or a native program's log; None if neither has it."""
    if case.session is None or case.run.client.native is None:
        return case.session.timings.get("handshake") if case.session else None
    try:
        return round(lines(case, case.run.client)[-1].time - _carrying(case, case.run.client).time, 3)
    except (Lacking, Contradiction):
        return None


def _numbers(host: Host, found: list[Line]) -> str:
    return f"{program(host)}: lines " + ", ".join(str(line.number) for line in found)


def program(host: Host) -> str:
    """The name of the program that speaks Kaspa: the host's name, or that of the unit on it."""
    return host.name if host.native is None else f"{host.native} on {host.name}"


def _embedded(case: Case, host: Host, direction: str) -> list[Line]:
    session = the_session(case)
    steps = (*native_log.STEPS, m.PEER_CONNECTED)
    found = [one(case, host, step, session=session.session) for step in steps]
    for line in found:
        expect(host, line, peer=peer_id(case.other(host)))
    expect(host, found[-1], path=session.path, direction=direction)
    order = [(line.number, line.time) for line in found]
    if order != sorted(order) or [time for _, time in order] != sorted(time for _, time in order):
        raise Contradiction(f"the handshake's lines in the journal of {host.name} are out of order")
    return found


def _native_log(case: Case, host: Host) -> Journal:
    log = case.bundle.native.get(host.name, Failure("there is no such program"))
    if isinstance(log, Failure):
        raise Lacking(f"no log of {program(host)}: {log.error}")
    return log


def _connection(case: Case, host: Host) -> tuple[str, str]:
    """Direction and address of the session's connection in the program's log: those of a local socket."""
    return ("outgoing", str(local_forward(case))) if host is case.run.client else ("incoming", str(caller(case, host)))


def _native(case: Case, host: Host) -> list[Line]:
    """The program's lines about the socket of the session's stream; the peer's journal names that socket."""
    log, (direction, addr) = _native_log(case, host), _connection(case, host)
    found = native_log.handshake(log.lines, f"the log of {program(host)}", direction, addr)
    for line in found:
        within_run(case, host, line)
    _while_watched(case, host, found)
    return found


def _while_watched(case: Case, host: Host, found: list[Line]) -> None:
    """Check that the lines are after the stream's start and before the last snapshot, by the host's own clock."""
    stream = _carrying(case, host)
    first, last = (measure.complete(case, host, label).time for label in ("before", case.session_labels[-1]))
    if case.run.client.native is not None and stream.time < first - ROUNDING:
        raise Contradiction(f"{stream.milestone} in the journal of {host.name} is older than the look at it before")
    if not stream.time - ROUNDING <= found[0].time <= found[-1].time <= last + ROUNDING:
        raise Contradiction(f"the handshake in the log of {program(host)} is not of the time of the session's stream")


def _carrying(case: Case, host: Host) -> Line:
    """The line about the session's stream in the journal of the peer beside the program."""
    kind = m.STREAM_OPENED if host is case.run.client else m.STREAM_ACCEPTED
    return one(case, host, kind, session=the_session(case).session)


def caller(case: Case, host: Host) -> Endpoint:
    """The address of the caller: one end of the local socket that the session's stream is connected to."""
    line = _carrying(case, host)
    found = parse_endpoint(line.fields.get("caller", ""))
    if found is None:
        raise Lacking(f"{line.milestone} in the journal of {host.name} does not say whose socket called (caller)")
    return found


def local_forward(case: Case) -> Endpoint:
    """Where the client's native program reaches the server: the local forward of the peer beside it."""
    client, label = case.run.client, case.session_labels[0]
    found = measure.status(case, client, label).local_forwards.get(peer_id(case.run.server))
    if found is None:
        raise Lacking(f"{client.name} does not say where it listens for {case.run.server.name}")
    return found
