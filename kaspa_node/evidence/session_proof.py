"""Pieces of proof that any working session needs, on any path."""

from __future__ import annotations

from kaspa_node import milestones as m
from kaspa_node.evidence import measure
from kaspa_node.evidence.bundle import Exercise, Failure, Host, Session
from kaspa_node.evidence.correlate import CLOCK_SLACK, Case
from kaspa_node.evidence.findings import Contradiction, Lacking
from kaspa_node.evidence.journal_lines import Line
from kaspa_node.milestones import Milestone


def hosts(case: Case) -> str:
    """Every host was reached, and delivered its journal, the log of its native program, and complete snapshots."""
    for host in case.run.hosts:
        if host.unreachable is not None:
            raise Lacking(f"{host.name} could not be reached: {host.unreachable}")
        journal = case.bundle.journals[host.name]
        if isinstance(journal, Failure):
            raise Lacking(f"no journal from {host.name}: {journal.error}")
        for label in case.labels(host):
            measure.complete(case, host, label)
        log = case.bundle.native.get(host.name)
        if isinstance(log, Failure):
            raise Lacking(f"no log of {host.native} from {host.name}: {log.error}")
    return "journals and snapshots of relay, server and client"


def identity(case: Case) -> str:
    """The three peer ids differ, and each program reports the peer id that the inventory has."""
    for host in case.run.hosts:
        known = peer_id(host)
        for label in case.labels(host):
            own = measure.status(case, host, label).peer_id
            if own != known:
                raise Contradiction(f"{host.name} runs as {own}, but is known as {known}")
    if len({host.peer_id for host in case.run.hosts}) < 3:
        raise Contradiction("two hosts have the same peer id")
    return "three peer ids, each confirmed by its own program"


def peer_id(host: Host) -> str:
    """The host's peer id; Lacking if the collector could not read it."""
    if host.peer_id is None:
        raise Lacking(f"the peer id of {host.name} is not known")
    return host.peer_id


def services(case: Case) -> str:
    """Each service is active and was not restarted between the snapshots."""
    for host in case.run.hosts:
        starts = []
        for label in case.labels(host):
            service = measure.complete(case, host, label).service
            if service is None:
                raise Lacking(f"{host.name} said nothing of its service {case.when(label)}")
            if service.name.removesuffix(".service") != host.service.removesuffix(".service"):
                raise Contradiction(f"{host.name}: the snapshot is of {service.name}, not of {host.service}")
            if not service.active:
                raise Contradiction(f"{service.name} on {host.name} was not active {case.when(label)}")
            if service.pid is None or service.invocation is None:
                raise Lacking(f"{host.name} did not say which start of {service.name} this is (pid, invocation)")
            starts.append((service.pid, service.invocation))
        if len(set(starts)) > 1:
            # A new process does not contradict the path, but its counters start again.
            raise Lacking(f"{host.service} on {host.name} was restarted between the snapshots, its counts began anew")
    return f"the same three processes before and {case.when('after')}"


def clocks(case: Case) -> str:
    """The snapshots were taken in order during the run, so that each host's clock can be compared with the run's."""
    skews = []
    for host in case.run.hosts:
        looks = [measure.complete(case, host, label) for label in case.labels(host)]
        # No slack: all these times are of one clock, and another run may be only a second away.
        times = [case.run.started, *(look.controller_time for look in looks), case.run.ended]
        if times != sorted(times):
            raise Contradiction(f"the snapshots of {host.name} were not taken during this run, or not in this order")
        for look in looks[1:]:
            stepped = (look.time - look.controller_time) - (looks[0].time - looks[0].controller_time)
            if abs(stepped) > CLOCK_SLACK:
                raise Contradiction(f"the clock of {host.name} was set by {stepped:+.0f} s between the snapshots")
        skews.append(f"{host.name} {case.skew(host) or 0.0:+.1f} s")
    _between(case)
    return "clocks against the controller's: " + ", ".join(skews)


def _between(case: Case) -> None:
    """The bytes of a native session are counted between the snapshots. So the session must begin after all first
    snapshots and end before all last snapshots, those of the relay too."""
    first, last = (
        [measure.complete(case, host, label).controller_time for host in case.run.hosts]
        for label in ("before", "after")
    )
    for host in (case.run.server, case.run.client):
        stood = [measure.complete(case, host, label).controller_time for label in case.session_labels]
        if len(stood) == 1 and not max(first) <= stood[0] <= min(last):
            raise Contradiction(f"the session was seen on {host.name} when not all hosts had been looked at before it")


def the_session(case: Case) -> Session:
    """The session that the dialer reported; Lacking if there is none."""
    if case.session is None:
        raise Lacking("the dialing peer reported no session")
    return case.session


def reported(case: Case) -> str:
    """The dialer's reply names this run, the server, and the connection of the session."""
    session = the_session(case)
    if not session.session:
        raise Lacking(f"which stream the program on {case.run.client.name} was given is not known")
    conn, dot, stream = session.session.partition(".")
    if conn != session.conn or not dot or not stream.isdecimal():
        raise Contradiction(f"session {session.session} is not one of connection {session.conn}")
    if session.peer_id != peer_id(case.run.server):
        raise Contradiction(f"the session is with {session.peer_id}, not with the server")
    if session.run != case.run.run_id:
        raise Contradiction(f"the session is of run {session.run}, not of {case.run.run_id}")
    return f"session {session.session}"


def one(case: Case, host: Host, milestone: Milestone, **values: str) -> Line:
    """The one line of that kind; the run id or the session id among the values makes it unique."""
    found = case.find(host, milestone, **values)
    said = " ".join(f"{name}={value}" for name, value in values.items())
    if not found:
        raise Lacking(f"the journal of {host.name} has no {milestone} with {said}")
    if len(found) > 1:
        raise Contradiction(f"the journal of {host.name} has {milestone} {len(found)} times with {said}")
    return found[0]


def within_run(case: Case, host: Host, line: Line) -> None:
    """Contradiction if the line was not written during the run, by the corrected clock; Lacking without a clock."""
    skew = case.skew(host)
    if skew is None:
        raise Lacking(f"the clock of {host.name} is not known")
    if not case.run.started - CLOCK_SLACK <= line.time - skew <= case.run.ended + CLOCK_SLACK:
        raise Contradiction(f"{line.milestone} in the journal of {host.name} was not written during this run")


def stream(case: Case) -> str:
    """The dialer opened the session's stream for this run, and the server accepted the same stream."""
    session, client, server = the_session(case), case.run.client, case.run.server
    opened = one(case, client, m.STREAM_OPENED, run=case.run.run_id, session=session.session)
    accepted = one(case, server, m.STREAM_ACCEPTED, session=session.session)
    within_run(case, client, opened)
    for host, line in ((client, opened), (server, accepted)):
        expect(host, line, conn=session.conn, path=session.path, peer=peer_id(case.other(host)))
    return f"opened at {client.name}:{opened.number}, accepted at {server.name}:{accepted.number}"


def expect(host: Host, line: Line, **values: str) -> None:
    """Lacking if the line has no such value, Contradiction if it has another."""
    for name, expected in values.items():
        found = line.fields.get(name)
        if found is None:
            raise Lacking(f"{line.milestone} in the journal of {host.name} has no {name}")
        if found != expected:
            raise Contradiction(f"{line.milestone} in the journal of {host.name} says {name}={found}, not {expected}")


def alive(case: Case) -> str:
    """The session was up until the last snapshot: no journal ends it, and both programs still list it."""
    session = the_session(case)
    for host, direction in ((case.run.client, "outgoing"), (case.run.server, "incoming")):
        ends = case.ends_of(session, host)
        if ends:
            why = ends[0].fields.get("reason", "no reason given")
            raise Contradiction(f"{host.name} ended the session before it could be judged: {why}")
        for label in case.session_labels:
            when = case.when(label)
            listed = [x for x in measure.status(case, host, label).sessions if x.session == session.session]
            if not listed:
                raise Lacking(f"{host.name} does not list the session {when}")
            claim = listed[0]
            said = (claim.conn, claim.peer_id, claim.direction, claim.path, claim.state)
            state = "ready" if host.native is None else "carried"
            if said != (session.conn, peer_id(case.other(host)), direction, session.path, state):
                raise Contradiction(f"{host.name} lists the session as {' '.join(said)} {when}")
    return f"listed by both {' and '.join(case.when(label) for label in case.session_labels)}"


def the_exercise(case: Case) -> Exercise:
    """The exercise of this session; Lacking when there was none."""
    exercise = case.run.exercise
    if isinstance(exercise, Failure):
        raise Lacking(f"the session carried no pings: {exercise.error}")
    return exercise


def exercised(case: Case) -> str:
    """Pings were sent over this session and answered."""
    exercise = the_exercise(case)
    if exercise.session != the_session(case).session:
        raise Contradiction(f"session {exercise.session} was exercised, not that of the run")
    if exercise.pings < 1:
        raise Lacking("no ping was answered")
    return f"{exercise.pings} pings answered"
