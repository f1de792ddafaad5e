"""report.json: the verdict and everything that it is based on, as plain values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kaspa_node import milestones as m
from kaspa_node.evidence import handshake_proof, measure, path_proof
from kaspa_node.evidence.bundle import Failure, Host, Session
from kaspa_node.evidence.causes import Breakdown, break_down
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.findings import Contradiction, Finding, Lacking, Proven
from kaspa_node.evidence.journal_lines import Journal, Line
from kaspa_node.evidence.proof import look_for_all, required
from kaspa_node.evidence.story import tell
from kaspa_node.evidence.verdict import Facts, Verdict, judge

_SETTING = (
    m.NODE_STARTED,
    m.RESERVATION_ACCEPTED,
    m.RESERVATION_FAILED,
    m.RESERVATION_LOST,
    m.MAPPING_OBSERVED,
    m.RELAY_RESERVED,
    m.RELAY_RESERVATION_DENIED,
    m.PEER_REFUSED,
)
MAX_TIMELINE = 400
"""The timeline has at most this many milestones."""


def examine(case: Case, expect: str | None = None) -> tuple[Verdict, dict[str, Any]]:
    """Judge a run and describe it; `expect` overrides what run.json asks for. Nothing is redacted yet."""
    claimed = case.session.path if case.session else None
    findings = look_for_all(case, claimed) if claimed else {}
    breakdown = None if claimed else break_down(case)
    facts = Facts(
        expect=expect or case.run.expect_path,
        claimed=claimed,
        findings=findings,
        attempts=case.attempts(),
        breakdown=_sentence(breakdown),
        hint=breakdown.hint if breakdown else "",
        relayed_because=relayed_because(case),
        native=case.run.native,
        relayed_code=case.session.punch_code if case.session else None,
        peer_port=case.ports(case.run.server, case.run.client),
    )
    verdict = judge(facts)
    report = _report(case, facts, verdict, breakdown)
    return verdict, report | {"story": tell(case, report)}


def _sentence(breakdown: Breakdown | None) -> str:
    if breakdown is None:
        return ""
    if breakdown.milestone is None:
        return breakdown.reason
    return f"{breakdown.reason} (missing: {breakdown.milestone} on {breakdown.host})"


def relayed_because(case: Case) -> str:
    """Why a session is relayed: the dialer's reason if it tried no hole punch, otherwise that of the last failed punch.

    Both ends log a failed punch at about the same time, by clocks of their own, so the server's line is used.
    """
    said = case.session.punch_reason if case.session is not None else None
    if case.session is not None and said is not None and case.session.punch_attempts == 0:
        return said
    lines = [line for host in (case.run.server, case.run.client) for line in case.punch_lines(host)]
    failed = [line for line in lines if line.milestone is m.PUNCH_FAILED]
    if failed:
        told = [line for line in case.punch_lines(case.run.server) if line.milestone is m.PUNCH_FAILED] or failed
        last = max(told, key=lambda line: line.time)
        tries = max(max(line.count("attempt") or 1 for line in failed), 1)
        return f"{tries} hole punch{'' if tries == 1 else 'es'} failed, {last.fields.get('reason', 'no reason given')}"
    fallback = case.find(case.run.client, m.PATH_FALLBACK, run=case.run.run_id)
    if fallback:
        return fallback[-1].fields.get("reason", "no reason given")
    return said or "no hole punch was tried"


def _report(case: Case, facts: Facts, verdict: Verdict, breakdown: Breakdown | None) -> dict[str, Any]:
    run, session = case.run, case.session
    # The dialer's report of the path is valid also if no program used the path.
    said = run.session if isinstance(run.session, Session) else None
    punch = _punch(case, said)
    timings = said.timings if said else {}
    return {
        "verdict": verdict.word,
        "path": verdict.path,
        "expect_path": facts.expect,
        "run_id": run.run_id,
        "reason": verdict.reason,
        "hint": verdict.hint,
        "rule": verdict.rule,
        "exit_code": verdict.exit_code,
        "inventory": run.inventory,
        "network_mode": run.network_mode,
        "started": stamp(run.started),
        "seconds": round(run.ended - run.started, 3),
        "session": session.session if session else None,
        "punch": punch,
        "handshake": {"seconds": handshake_proof.seconds(case)},
        "dial": {
            "relayed_seconds": timings.get("relayed_dial"),
            "first_direct_seconds": timings.get("first_direct"),
            # A native program uses the path later; the peer's answer has only the time when the path was ready.
            "to_ready_seconds": None if "client" in run.native else timings.get("dial_to_ready"),
        },
        "proof": _proof(case, facts, verdict),
        "failure": _failure(breakdown),
        "reservations": _reservations(case),
        "milestones": timeline(case),
        "hosts": {part: _host(case, host) for part, host in _parts(case)},
        "clock_skew": {host.name: _rounded(case.skew(host)) for host in run.hosts},
    }


def _parts(case: Case) -> list[tuple[str, Host]]:
    return [("relay", case.run.relay), ("server", case.run.server), ("client", case.run.client)]


def _punch(case: Case, session: Session | None) -> dict[str, Any]:
    """seconds: relayed connection to direct one. round_trips: to the first direct byte, in round trips of the peers.

    A message over the relay passes two links, so half of the round trip measured there counts as the peers' round trip.
    """
    timings = session.timings if session else {}
    lines = [line for _, line in case.punches(session.conn)] if session else []
    rtts = [rtt for line in lines if (rtt := line.seconds("relay_rtt"))]
    first = timings.get("first_direct")
    return {
        "attempts": case.attempts() if lines and case.session else (session.punch_attempts if session else None),
        "seconds": timings.get("punch"),
        "relay_rtt": rtts[0] if rtts else None,
        "round_trips": round(first / (rtts[0] / 2), 1) if first is not None and rtts else None,
    }


def _proof(case: Case, facts: Facts, verdict: Verdict) -> dict[str, Any]:
    kernel = ("socket.client", "socket.server", "mirror.client", "mirror.server")
    pieces = []
    for piece in required(facts.claimed or "", facts.native):
        finding: Finding = facts.findings[piece.key]
        pieces.append({"piece": piece.key, "found": finding.word, "detail": finding.detail, "source": piece.source})
    return {
        "sockets_match": all(isinstance(facts.findings.get(key), Proven) for key in kernel),
        **_bytes(case, facts),
        "missing": list(verdict.missing),
        "pieces": pieces,
    }


def _bytes(case: Case, facts: Facts) -> dict[str, Any]:
    """Byte counts of the exercise; None if the evidence for one is missing."""
    peers = (case.run.client, case.run.server)
    direct = facts.claimed == "direct"
    session, relay = None, None
    try:
        if direct:
            session = measure.growth(case, peers[0], path_proof.direct_link(case, peers[0])).total
        else:
            session = measure.pair_growth(case)[1] if facts.claimed else None
    except (Lacking, Contradiction):
        session = None
    try:
        relay = sum(
            max(measure.relay_growth(case, host).total, measure.relay_growth_at_relay(case, host).total)
            for host in peers
        )
    except (Lacking, Contradiction):
        relay = None
    return {"session_bytes": session, "relay_bytes": relay}


def _reservations(case: Case) -> list[dict[str, Any]]:
    """What the peers say of the run's relay, before the exercise."""
    entries = []
    for host in (case.run.server, case.run.client):
        snapshot = case.snapshot(host, "before")
        if isinstance(snapshot, Failure) or snapshot.status is None:
            continue
        for relay in snapshot.status.relays:
            if relay.peer_id == case.run.relay.peer_id:
                observed = str(relay.observed) if relay.observed else None
                entries.append(
                    {"host": host.name, "relay": case.run.relay.name, "state": relay.state, "observed": observed}
                )
    return entries


def _failure(breakdown: Breakdown | None) -> dict[str, Any] | None:
    if breakdown is None:
        return None
    return {
        "cause": breakdown.cause,
        "milestone": breakdown.milestone,
        "host": breakdown.host,
        "last_lines": [{"line": line.number, "text": line.text} for line in breakdown.last],
    }


def timeline(case: Case) -> list[dict[str, Any]]:
    """The run's milestones of all hosts in the order of time, with each host's clock corrected.

    For a native program these are all milestones of its log, because the log begins with the run.
    """
    entries: list[tuple[float, Host, str, Line]] = []
    for _, host in _parts(case):
        skew = case.skew(host) or 0.0
        own = {line.number for line in case.of_run(host)}
        for line in case.recent(host):
            if line.number in own or line.milestone in _SETTING:
                entries.append((line.time - skew, host, _log(host), line))
        for line in case.native_lines(host):
            if line.milestone is not None:
                entries.append((line.time - skew, host, native_file(host), line))
    entries = [entry for entry in entries if entry[3].milestone is not m.PING_ANSWERED]
    entries.sort(key=lambda entry: entry[0])
    return [
        {
            "name": str(line.milestone),
            "host": host.name,
            "role": host.role,
            "time": stamp(line.time),
            "offset": round(time - case.run.started, 3),
            "log": log,
            "line": line.number,
            "sentence": line.sentence,
        }
        for time, host, log, line in entries[:MAX_TIMELINE]
    ]


def _log(host: Host) -> str:
    return f"logs/{host.name}.log"


def native_file(host: Host) -> str:
    """The log of the host's native program, below the run's directory."""
    return f"logs/{host.name}.native.log"


def _host(case: Case, host: Host) -> dict[str, Any]:
    return {
        "name": host.name,
        "role": host.role,
        "peer_id": host.peer_id,
        "service": host.service,
        "native": host.native,
        "addresses": list(host.addresses),
        "public": host.public,
        "os": host.os,
        "version": host.version,
        "unreachable": host.unreachable,
        "journal": _read(_log(host), case.bundle.journals[host.name]),
        "native_log": None if host.native is None else _read(native_file(host), case.bundle.native[host.name]),
    }


def _read(file: str, journal: Journal | Failure) -> dict[str, Any]:
    if isinstance(journal, Failure):
        return {"file": file, "lost": journal.error, "lines": 0, "malformed": {}}
    return {"file": file, "lost": None, "lines": len(journal.lines), "malformed": journal.malformed}


def stamp(time: float) -> str:
    """Unix time as text: UTC, milliseconds; a time outside of the calendar as its number."""
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(sep=" ", timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"{time:.0f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
