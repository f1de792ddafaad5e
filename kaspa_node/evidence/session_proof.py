"""Pieces of proof that any working session needs, whatever its path."""

from __future__ import annotations

from kaspa_node import milestones as m
from kaspa_node.evidence import measure
from kaspa_node.evidence.bundle import Exercise, Failure, Host, Session
from kaspa_node.evidence.correlate import CLOCK_SLACK, Case
from kaspa_node.evidence.findings import Contradiction, Lacking
from kaspa_node.evidence.journal_lines import Line
from kaspa_node.milestones import Milestone


def hosts(case: Case) -> str:
    """Every host was reached and gave its journal and two complete snapshots."""
    for host in case.run.hosts:
        if host.unreachable is not None:
            raise Lacking(f"{host.name} could not be reached: {host.unreachable}")
        journal = case.bundle.journals[host.name]
        if isinstance(journal, Failure):
            raise Lacking(f"no journal from {host.name}: {journal.error}")
        for label in ("before", "after"):
            measure.complete(case, host, label)
    return "journals and snapshots of relay, server and client"


def identity(case: Case) -> str:
    """Three different peer ids, and each program says itself that it is the one that the inventory knows."""
    for host in case.run.hosts:
        known = peer_id(host)
        for label in ("before", "after"):
            own = measure.status(case, host, label).peer_id
            if own != known:
                raise Contradiction(f"{host.name} runs as {own}, but is known as {known}")
    if len({host.peer_id for host in case.run.hosts}) < 3:
        raise Contradiction("two hosts have the same peer id")
    return "three peer ids, each confirmed by its own program"


def peer_id(host: Host) -> str:
    """The host's peer id; Lacking when the collector did not learn it."""
    if host.peer_id is None:
        raise Lacking(f"the peer id of {host.name} is not known")
    return host.peer_id


def services(case: Case) -> str:
    """Each service is active and was not restarted between the snapshots."""
    for host in case.run.hosts:
        starts = []
        for label in ("before", "after"):
            service = measure.complete(case, host, label).service
            if service is None:
                raise Lacking(f"{host.name} said nothing of its service {label} the exercise")
            if service.name.removesuffix(".service") != host.service.removesuffix(".service"):
                raise Contradiction(f"{host.name}: the snapshot is of {service.name}, not of {host.service}")
            if not service.active:
                raise Contradiction(f"{service.name} on {host.name} was not active {label} the exercise")
            if service.pid is None or service.invocation is None:
                raise Lacking(f"{host.name} did not say which start of {service.name} this is (pid, invocation)")
            starts.append((service.pid, service.invocation))
        if starts[0] != starts[1]:
            # A new process says nothing against the path; but what it counts does not begin where the old one ended.
            raise Lacking(f"{host.service} on {host.name} was restarted between the snapshots, its counts began anew")
    return "the same three processes before and after the exercise"


def clocks(case: Case) -> str:
    """The snapshots were taken within the run, in order, so that each host's clock can be held against the run's."""
    skews = []
    for host in case.run.hosts:
        before, after = (measure.complete(case, host, label) for label in ("before", "after"))
        # No slack: all four times are of one clock, and the runs before and after this one may be a second away.
        if not case.run.started <= before.controller_time <= after.controller_time <= case.run.ended:
            raise Contradiction(f"the snapshots of {host.name} were not taken during this run, or not in this order")
        stepped = (after.time - after.controller_time) - (before.time - before.controller_time)
        if abs(stepped) > CLOCK_SLACK:
            raise Contradiction(f"the clock of {host.name} was set by {stepped:+.0f} s between the snapshots")
        skews.append(f"{host.name} {case.skew(host) or 0.0:+.1f} s")
    return "clocks against the controller's: " + ", ".join(skews)


def the_session(case: Case) -> Session:
    """The session that the dialer reported; Lacking when there is none."""
    if case.session is None:
        raise Lacking("the dialing peer reported no session")
    return case.session


def reported(case: Case) -> str:
    """The dialer's reply names this run, the server, and a session on a connection."""
    session = the_session(case)
    conn, dot, stream = session.session.partition(".")
    if conn != session.conn or not dot or not stream.isdecimal():
        raise Contradiction(f"session {session.session} is not one of connection {session.conn}")
    if session.peer_id != peer_id(case.run.server):
        raise Contradiction(f"the session is with {session.peer_id}, not with the server")
    if session.run != case.run.run_id:
        raise Contradiction(f"the session is of run {session.run}, not of {case.run.run_id}")
    return f"session {session.session}"


def _one(case: Case, host: Host, milestone: Milestone, **values: str) -> Line:
    """The one line of that kind; the run id or the session id among the values makes it one."""
    found = case.find(host, milestone, **values)
    said = " ".join(f"{name}={value}" for name, value in values.items())
    if not found:
        raise Lacking(f"the journal of {host.name} has no {milestone} with {said}")
    if len(found) > 1:
        raise Contradiction(f"the journal of {host.name} has {milestone} {len(found)} times with {said}")
    return found[0]


def within_run(case: Case, host: Host, line: Line) -> None:
    """Contradiction when the line was not written during the run, by the host's clock set right; Lacking without it."""
    skew = case.skew(host)
    if skew is None:
        raise Lacking(f"the clock of {host.name} is not known")
    if not case.run.started - CLOCK_SLACK <= line.time - skew <= case.run.ended + CLOCK_SLACK:
        raise Contradiction(f"{line.milestone} in the journal of {host.name} was not written during this run")


def stream(case: Case) -> str:
    """The dialer opened the session's stream for this run, and the server accepted the same stream."""
    session, client, server = the_session(case), case.run.client, case.run.server
    opened = _one(case, client, m.STREAM_OPENED, run=case.run.run_id, session=session.session)
    accepted = _one(case, server, m.STREAM_ACCEPTED, session=session.session)
    within_run(case, client, opened)
    for host, line in ((client, opened), (server, accepted)):
        _expect(host, line, conn=session.conn, path=session.path, peer=peer_id(case.other(host)))
    return f"opened at {client.name}:{opened.number}, accepted at {server.name}:{accepted.number}"


def _expect(host: Host, line: Line, **values: str) -> None:
    for name, expected in values.items():
        found = line.fields.get(name)
        if found is None:
            raise Lacking(f"{line.milestone} in the journal of {host.name} has no {name}")
        if found != expected:
            raise Contradiction(f"{line.milestone} in the journal of {host.name} says {name}={found}, not {expected}")


def handshake_of_client(case: Case) -> str:
    """Version, Verack, Ready and Connected in the dialer's journal, during the run."""
    lines = _handshake(case, case.run.client, "outgoing")
    for line in lines:
        within_run(case, case.run.client, line)
    return _numbers(case.run.client, lines)


def handshake_of_server(case: Case) -> str:
    """Version, Verack, Ready and Connected in the server's journal, for the very same session."""
    return _numbers(case.run.server, _handshake(case, case.run.server, "incoming"))


def _numbers(host: Host, lines: list[Line]) -> str:
    return f"{host.name}: lines " + ", ".join(str(line.number) for line in lines)


def _handshake(case: Case, host: Host, direction: str) -> list[Line]:
    session = the_session(case)
    steps = (m.VERSION_RECEIVED, m.VERACK_RECEIVED, m.READY_RECEIVED, m.PEER_CONNECTED)
    lines = [_one(case, host, step, session=session.session) for step in steps]
    for line in lines:
        _expect(host, line, peer=peer_id(case.other(host)))
    _expect(host, lines[-1], path=session.path, direction=direction)
    order = [(line.number, line.time) for line in lines]
    if order != sorted(order) or [time for _, time in order] != sorted(time for _, time in order):
        raise Contradiction(f"the handshake's lines in the journal of {host.name} are out of order")
    return lines


def alive(case: Case) -> str:
    """The session lived until after the exercise: no journal ends it, and both programs still list it as ready."""
    session = the_session(case)
    for host, direction in ((case.run.client, "outgoing"), (case.run.server, "incoming")):
        ends = case.ends_of(session, host)
        if ends:
            why = ends[0].fields.get("reason", "no reason given")
            raise Contradiction(f"{host.name} ended the session before it could be judged: {why}")
        for label in ("before", "after"):
            listed = [x for x in measure.status(case, host, label).sessions if x.session == session.session]
            if not listed:
                raise Lacking(f"{host.name} does not list the session {label} the exercise")
            claim = listed[0]
            said = (claim.conn, claim.peer_id, claim.direction, claim.path, claim.state)
            if said != (session.conn, peer_id(case.other(host)), direction, session.path, "ready"):
                raise Contradiction(f"{host.name} lists the session as {' '.join(said)} {label} the exercise")
    return "listed as ready by both before and after the exercise"


def the_exercise(case: Case) -> Exercise:
    """The exercise of this session; Lacking when there was none."""
    exercise = case.run.exercise
    if isinstance(exercise, Failure):
        raise Lacking(f"the session carried no pings: {exercise.error}")
    return exercise


def exercised(case: Case) -> str:
    """Pings went over this very session and were answered."""
    exercise = the_exercise(case)
    if exercise.session != the_session(case).session:
        raise Contradiction(f"session {exercise.session} was exercised, not that of the run")
    if exercise.pings < 1:
        raise Lacking("no ping was answered")
    return f"{exercise.pings} pings answered"
