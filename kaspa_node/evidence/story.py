"""A run as a story of about a dozen lines, for a reader who does not know relays and hole punches.

First it tells what the programs wrote. The end says what is proven, by the pieces of proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kaspa_node import milestones as m
from kaspa_node.evidence.bundle import Exercise, Failure, Host
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.handshake_proof import program
from kaspa_node.evidence.snapshot import Snapshot
from kaspa_node.evidence.status import Observed, Status

TOLD_ATTEMPTS = 3
"""More attempts of a hole punch than this are only counted."""

_HOLDS = "reserved"
_PUNCH = (
    "For a connection without the relay, the two exchanged the addresses at which they are seen, and dialed each other "
    "at the same moment. Each router then accepts the other's packets as answers: a hole punch."
)
_GIST = {
    "direct": "both journals name the same connection, it belongs to the programs in the kernels of both hosts, which "
    "counted the pings on it, and almost nothing went through the relay in that time",
    "relayed": "both journals name the same connection, it runs through the relay, and the relay and the kernels "
    "counted the pings there",
}
_NATIVE = (
    "{programs} speak Kaspa, unmodified programs that know nothing of relays and punches: each has a socket to the "
    "peer beside it, which forwards the bytes."
)
_ALONE = " speaks Kaspa there, an unmodified program that knows nothing"


def tell(case: Case, report: dict[str, Any]) -> list[str]:
    """The story of a run, a sentence or two a line.

    report: as `kaspa_node.evidence.report` makes it; of it only verdict, path, reason, hint, exit_code, proof, dial,
    handshake and punch are used. Nothing is redacted yet.
    """
    return [
        *_scene(case),
        *_programs(case),
        *_lost(case),
        *_reservations(case),
        *_addresses(case),
        *_dial(case, report),
        *_punch(case, report),
        *_session(case, report),
        *_traffic(case, report),
        *_verdict(case, report),
    ]


def _scene(case: Case) -> Iterator[str]:
    relay, server, client = case.run.hosts
    if case.run.network_mode == "loopback":
        yield (
            f"{client.name} was to open a Kaspa session with {server.name}, with the help of {relay.name}, the relay. "
            "All three run on one machine without any NAT, so this run says nothing about NATs."
        )
        return
    behind = [host.name for host in (client, server) if host.public is not None and host.public not in host.addresses]
    walls = ""
    if len(behind) == 1:
        walls = f" {behind[0]} is behind a NAT, a router that accepts only answers."
    elif behind:
        walls = " Both are behind NATs, routers that accept only answers, so neither can simply dial the other."
    where = " (all on one machine, in network namespaces)" if case.run.network_mode == "namespaces" else ""
    yield (
        f"{client.name} was to open a Kaspa session with {server.name}{where}.{walls} "
        f"{relay.name} is a third host that both can reach: the relay."
    )


def _programs(case: Case) -> Iterator[str]:
    native = [program(host) for host in (case.run.client, case.run.server) if host.native is not None]
    if native:
        said = _NATIVE.format(programs=" and ".join(native))
        yield said if len(native) > 1 else said.replace(" speak Kaspa, unmodified programs that know nothing", _ALONE)


def _lost(case: Case) -> Iterator[str]:
    for host in case.run.hosts:
        journal = case.bundle.journals[host.name]
        if host.unreachable is not None:
            yield f"{host.name} could not be reached for evidence: {host.unreachable}."
            continue
        if isinstance(journal, Failure):
            yield f"{host.name} gave no journal ({journal.error})."
        services = [s.service for _, s in case.snapshots(host) if isinstance(s, Snapshot) and s.service is not None]
        if any(not service.active for service in services):
            yield f"The program on {host.name} ({host.service}) was not running."


def _status(case: Case, host: Host) -> Status | None:
    snapshot = case.snapshot(host, "before")
    return snapshot.status if isinstance(snapshot, Snapshot) else None


def _said_of_relay(case: Case, host: Host) -> Observed | None:
    """The peer's report about the run's relay; None without a report."""
    status = _status(case, host)
    relays = status.relays if status is not None else ()
    return next((entry for entry in relays if entry.peer_id == case.run.relay.peer_id), None)


def _reservations(case: Case) -> Iterator[str]:
    relay, server, client = case.run.hosts
    holders = []
    for host in (server, client):
        said = _said_of_relay(case, host)
        if said is not None and said.state == _HOLDS:
            holders.append(host.name)
        elif said is not None:
            why = f", {said.reason}" if said.reason else ""
            yield f"{host.name} had no reservation on {relay.name} ({said.state}{why})."
        elif host.unreachable is None:
            yield f"Whether {host.name} had a reservation on {relay.name} is not known: its status does not say so."
    if holders:
        each = f"{holders[0]} had a reservation" if len(holders) == 1 else f"{' and '.join(holders)} had reservations"
        yield f"{each} on {relay.name}: a connection that stays open, over which requests of other peers can come."


def _addresses(case: Case) -> Iterator[str]:
    relay = case.run.relay
    books = _status(case, relay)
    seen = []
    for host in (case.run.server, case.run.client):
        entries = [r.observed for r in books.reservations if r.peer_id == host.peer_id] if books is not None else []
        said = _said_of_relay(case, host)
        observed = next((end for end in [*entries, said.observed if said else None] if end is not None), None)
        if observed is not None:
            own = observed.ip in host.addresses
            seen.append(f"{host.name} come from {observed}" + (", its own address" if own else ""))
    if seen:
        yield f"{relay.name} saw {' and '.join(seen)}. That is where the other can try to reach it."


def _dial(case: Case, report: dict[str, Any]) -> Iterator[str]:
    relay, server, client = case.run.hosts
    run = case.run.run_id
    dials = case.find(client, m.DIAL_STARTED, run=run)
    if not dials:
        if client.unreachable is None:
            yield f"The journal of {client.name} has no dial of this run."
        return
    times = "" if len(dials) == 1 else f", {len(dials)} times"
    if case.circuit_conns():
        took = _after(report["dial"]["relayed_seconds"])
        yield (
            f"{client.name} dialed {server.name} through {relay.name}{times}, and{took} the two had a relayed "
            "connection: every byte passes through the relay, encrypted so that it can't read it."
        )
        return
    yield f"{client.name} dialed {server.name} through {relay.name}{times}, but got no connection."
    waiting = case.find(client, m.DIAL_WAITING, run=run)
    if waiting:
        yield f"{relay.name} answered that it has no reservation of {server.name}, {_count(len(waiting), 'time')}."


def _punch(case: Case, report: dict[str, Any]) -> Iterator[str]:
    client, session = case.run.client, case.session
    lines = [(host, line) for host in (client, case.run.server) for line in case.punch_lines(host)]
    if not lines:
        if case.circuit_conns():
            why = session.punch_reason if session is not None and session.punch_reason else "the journals don't say why"
            yield f"No hole punch was tried, so there was no direct connection ({why})."
        return
    yield _PUNCH
    attempts = sorted({line.count("attempt") or 0 for _, line in lines})
    for attempt in attempts[:TOLD_ATTEMPTS]:
        mine = [(host, line) for host, line in lines if (line.count("attempt") or 0) == attempt]
        won = [(host, line) for host, line in mine if line.milestone is m.PUNCH_SUCCEEDED]
        lost = [(host, line) for host, line in mine if line.milestone is m.PUNCH_FAILED]
        name = f"Attempt {attempt}" if attempt else "An attempt without a number"
        if won:
            host, line = won[0]
            ends = f"{line.fields.get('local', 'an unknown address')} to {line.fields.get('remote', 'an unknown one')}"
            took = _after(report["punch"]["seconds"])
            yield f"{name} worked:{took} {host.name} had a direct connection to the other, {ends}."
        elif lost:
            said = "; ".join(f"{host.name}: {line.fields.get('reason', 'no reason given')}" for host, line in lost)
            yield f"{name} failed ({said})."
        else:
            yield f"{name} began, and no journal says how it ended."
    if len(attempts) > TOLD_ATTEMPTS:
        yield f"{_count(len(attempts) - TOLD_ATTEMPTS, 'further attempt')} are in the journals."
    if case.find(client, m.PATH_FALLBACK, run=case.run.run_id):
        yield f"So {client.name} stayed on the relayed connection."


def _session(case: Case, report: dict[str, Any]) -> Iterator[str]:
    client, server, session = case.run.client, case.run.server, case.session
    if session is None:
        error = case.run.session.error if isinstance(case.run.session, Failure) else client.unreachable
        said = f" {client.name} said: {error}." if error != client.unreachable else ""
        yield f"There was no Kaspa session.{said}"
        return
    proven = {piece["piece"] for piece in report["proof"]["pieces"] if piece["found"] == "proven"}
    over = f"the {session.path} connection"
    if not {"handshake.client", "handshake.server"} <= proven:
        who, logs = (client.name, "journals") if client.native is None else (program(client), "logs")
        yield f"{who} says that it had a session over {over}, but the {logs} don't show its whole handshake."
        return
    took, ready = report["handshake"]["seconds"], report["dial"]["to_ready_seconds"]
    within = f" in {took:.2f} s" if took is not None else ""
    since = f", {ready:.2f} s after the dial began" if ready is not None else ""
    logs = "By both journals"
    if case.run.native:
        logs = f"According to the logs of {program(client)} and {program(server)}"
    yield (
        f"{logs}, Kaspa's handshake (Version, Verack, Ready) went over {over}{within}; {client.name} and "
        f"{server.name} were connected{since}."
    )
    for host in (client, server):
        for line in case.ends_of(session, host)[:1]:
            why = line.fields.get("reason", "no reason given")
            yield f"{host.name} then ended the session before it could be judged: {why}."


def _traffic(case: Case, report: dict[str, Any]) -> Iterator[str]:
    if case.session is None:
        return
    exercise = case.run.exercise
    if case.run.client.native is None and not isinstance(exercise, Exercise):
        yield f"No pings went over it to be counted: {exercise.error}."
        return
    proof = report["proof"]
    place = "on the direct connection" if case.session.path == "direct" else "from peer to peer in the relay's books"
    counted = [
        (proof["session_bytes"], place),
        (proof["relay_bytes"], "between the two peers and the relay"),
    ]
    known = [f"{count:,} bytes {where}" for count, where in counted if count is not None]
    kernels = f" Meanwhile the hosts counted {' and '.join(known)}." if known else " No host counted their bytes."
    if isinstance(exercise, Exercise):
        yield f"So that its bytes can be found, {_count(exercise.pings, 'ping')} went over it, each answered.{kernels}"
        return
    moved = next((piece["detail"] for piece in proof["pieces"] if piece["piece"] == "native.bytes"), "")
    yield f"The kernels counted what the handshake moved on the native program's own socket: {moved}.{kernels}"


def _verdict(case: Case, report: dict[str, Any]) -> Iterator[str]:
    if case.session is not None:
        path, pieces = case.session.path, report["proof"]["pieces"]
        proven = sum(piece["found"] == "proven" for piece in pieces)
        if proven == len(pieces):
            yield f"All {proven} pieces of proof that a {path} session needs were found: {_gist(case, path)}."
        else:
            lacking = ", ".join(report["proof"]["missing"])
            yield f"Of {len(pieces)} pieces of proof that a {path} session needs, {proven} were found; not: {lacking}."
    yield f"So the verdict is {report['verdict']}, path {report['path']}. {report['reason']}."
    if report["exit_code"]:
        yield f"What to do: {report['hint']}"


def _gist(case: Case, path: str) -> str:
    counted = "the pings" if case.run.client.native is None else "what the native program moved"
    gist = _GIST[path].replace("the pings", counted)
    if case.run.native:
        gist += "; and the kernel says that the sockets which the peers carried are the native programs' own"
    return gist


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _after(seconds: float | None) -> str:
    return "" if seconds is None else f" after {seconds:.2f} s"
