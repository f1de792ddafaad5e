"""Why there is no session, by the journals and snapshots: the first cause of the table that applies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kaspa_node import milestones as m
from kaspa_node.constants import PREFER_DIRECT
from kaspa_node.evidence import native_causes
from kaspa_node.evidence.bundle import Failure, Host
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.journal_lines import Line
from kaspa_node.evidence.snapshot import Snapshot
from kaspa_node.milestones import Milestone

QUOTED_LINES = 4
"""How many lines before a missing milestone are quoted."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One likely cause: `look` gives the sentence that names it, or None.

    hint: what to do, with `{relay_port}` and `{peer_port}` for the ports that the relay and the peers listen on.
    """

    name: str
    meaning: str
    hint: str
    look: Callable[[Case], str | None]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Where a run without a session stopped.

    milestone, host: the first missing milestone, and the host whose journal lacks it; None if none is missing.
    last: the host's last lines before that.
    """

    cause: str
    reason: str
    hint: str
    milestone: str | None
    host: str | None
    last: tuple[Line, ...]


def _unreachable(case: Case) -> str | None:
    lost = [host for host in case.run.hosts if host.unreachable is not None]
    return f"{lost[0].name} could not be reached: {lost[0].unreachable}" if lost else None


def _own_id(case: Case) -> str | None:
    client, server = case.run.client, case.run.server
    if client.peer_id is None or client.peer_id != server.peer_id:
        return None
    return f"{client.name} and {server.name} have the same peer id {client.peer_id}"


def _inactive(case: Case) -> str | None:
    for host in case.run.hosts:
        for _, snapshot in case.snapshots(host):
            if isinstance(snapshot, Snapshot) and snapshot.service is not None and not snapshot.service.active:
                return f"{host.service} on {host.name} is not running"
    return None


def _no_answer(case: Case) -> str | None:
    for host in case.run.hosts:
        for _, snapshot in case.snapshots(host):
            if isinstance(snapshot, Snapshot) and snapshot.service is not None and snapshot.status is None:
                return f"{host.service} on {host.name} is running, but does not answer"
    return None


def _last(case: Case, hosts: tuple[Host, ...], *kinds: Milestone) -> tuple[Host, Line] | None:
    found = [(host, line) for host in hosts for line in case.recent(host) if line.milestone in kinds]
    return found[-1] if found else None


def _peers(case: Case) -> tuple[Host, Host]:
    return case.run.server, case.run.client


def _between_the_pair(case: Case, *kinds: Milestone) -> tuple[Host, Line] | None:
    for host in _peers(case):
        other = case.other(host).peer_id
        found = [x for x in case.recent(host) if x.milestone in kinds and x.fields.get("peer") == other]
        if found:
            return host, found[-1]
    return None


def _rejected(case: Case) -> str | None:
    found = _between_the_pair(case, m.REJECT_SENT, m.REJECT_RECEIVED)
    if found is None:
        return None
    host, line = found
    by = host if line.milestone is m.REJECT_SENT else case.other(host)
    return f"{by.name} rejected the Kaspa handshake: {line.fields.get('reason', 'no reason given')}"


def _refused(case: Case) -> str | None:
    names = {host.peer_id: host.name for host in case.run.hosts}
    for host in case.run.hosts:
        for line in case.recent(host):
            if line.milestone is m.PEER_REFUSED and line.fields.get("peer") in names:
                who = names[line.fields["peer"]]
                return f"{host.name} refused {line.fields.get('what', 'a request')} from {who}: not on its allow list"
    return None


def _no_reservation(case: Case) -> str | None:
    run = case.run
    denied = [x for x in case.recent(run.relay) if x.is_a(m.RELAY_CIRCUIT_DENIED, dst=run.server.peer_id or "")]
    waiting = case.find(run.client, m.DIAL_WAITING, run=run.run_id)
    if case.circuit_conns() or not (waiting or any("RESERVATION" in x.fields.get("status", "") for x in denied)):
        return None
    why = _last(case, (run.server,), m.RESERVATION_FAILED, m.RESERVATION_LOST)
    because = f" ({why[1].fields.get('reason', 'no reason given')})" if why else ""
    return f"the relay {run.relay.name} has no reservation for {run.server.name}{because}"


def _relay_unreachable(case: Case) -> str | None:
    found = _last(case, _peers(case), m.RESERVATION_FAILED, m.RESERVATION_LOST)
    if found is None or case.circuit_conns():
        return None
    host, line = found
    reason = line.fields.get("reason", "no reason given")
    return f"{host.name} has no reservation on the relay {case.run.relay.name}: {reason}"


def _handshake_failed(case: Case) -> str | None:
    found = _between_the_pair(case, m.HANDSHAKE_FAILED)
    if found is None:
        return None
    return f"the Kaspa handshake failed on {found[0].name}: {found[1].fields.get('reason', 'no reason given')}"


def _not_punched(case: Case) -> str | None:
    failed = [x for host in _peers(case) for x in case.punch_lines(host) if x.milestone is m.PUNCH_FAILED]
    if not failed or case.find(case.run.client, m.STREAM_OPENED, run=case.run.run_id):
        return None
    return f"no hole punch succeeded: {failed[-1].fields.get('reason', 'no reason given')}"


def _dial_failed(case: Case) -> str | None:
    found = case.find(case.run.client, m.DIAL_FAILED, run=case.run.run_id)
    if not found:
        return None
    reason = found[-1].fields.get("reason", "no reason given")
    return f"{case.run.client.name} could not reach {case.run.server.name}: {reason}"


def _server_silent(case: Case) -> str | None:
    if not case.circuit_conns():
        return None
    missing = missing_milestone(case)
    if missing is None or missing[0] is not case.run.server:
        return None
    return f"{case.run.server.name} stopped answering: its journal has no {missing[1]} of this run"


def _nothing_tried(case: Case) -> str | None:
    journal = case.bundle.journals[case.run.client.name]
    if isinstance(journal, Failure) or any(x.fields.get("run") == case.run.run_id for x in journal.lines):
        return None
    return f"the journal of {case.run.client.name} has no line of run {case.run.run_id}"


CAUSES: tuple[Cause, ...] = (
    Cause(
        "unreachable",
        "A host could not be reached for verification.",
        "Check the host and its SSH access, then run verify again.",
        _unreachable,
    ),
    Cause(
        "own id",
        "Both peers use the same key.",
        "Remove identity.key on one of them and deploy again: each host makes a key of its own.",
        _own_id,
    ),
    Cause(
        "service down",
        "The relay or a peer is not running.",
        "Start it: fab start. Its log says why it stopped: fab logs.",
        _inactive,
    ),
    Cause(
        "native program down",
        "A native program is not running while its session should be up.",
        "Look at its unit: systemctl status, journalctl -u. The server's must run; verify starts the client's.",
        native_causes.down,
    ),
    Cause(
        "rejected",
        "A peer sent a Kaspa reject message.",
        "The reason comes from the peer: network, protocol version and peer id must match on both sides.",
        _rejected,
    ),
    Cause(
        "not allowed",
        "A peer id is not on an allow list.",
        "Add the peer to the inventory, and deploy again: deploy fills the allow lists.",
        _refused,
    ),
    Cause(
        "no answer",
        "The relay or a peer runs, but does not answer a request for its status.",
        "Look at its process: it may be stopped, frozen or overloaded. A restart helps in any case.",
        _no_answer,
    ),
    Cause(
        "native handshake failed",
        "A native program aborted the Kaspa handshake.",
        "The reason comes from the program; its log is in the run's directory.",
        native_causes.failed,
    ),
    Cause(
        "backend refused",
        "The server's peer can't reach the native program beside it.",
        "Check that the program listens where kaspa_peer_backend_address says.",
        native_causes.refused,
    ),
    Cause(
        "call refused",
        "The client's peer had no path when the native program connected to it.",
        "Run verify again; the reason says how far the peer was.",
        native_causes.unreached,
    ),
    Cause(
        "native program silent",
        "The path is up, but no native program reported in time that it is connected.",
        "Check that the client's program connects to the local forward of the server: kaspa_peer_dial_listens.",
        native_causes.silent,
    ),
    Cause(
        "no reservation",
        "The relay has no reservation of the server.",
        "Look for reservation lines in the server's journal; start the server before the client dials.",
        _no_reservation,
    ),
    Cause(
        "relay unreachable",
        "A peer can't keep a reservation on the relay.",
        "Check the relay's address, its peer id, and that its firewall lets {relay_port} in.",
        _relay_unreachable,
    ),
    Cause(
        "handshake failed",
        "The Kaspa handshake failed without a reject message.",
        "Compare network and protocol version of the two peers.",
        _handshake_failed,
    ),
    Cause(
        "not punched",
        "Hole punching failed, and the policy allows no relay.",
        f"Use path_policy {PREFER_DIRECT}, or open {{peer_port}} towards one of the peers.",
        _not_punched,
    ),
    Cause(
        "dial failed",
        "The client could not open a connection through the relay.",
        "The client's journal has the reason. Check that the relay runs, and that both peers use it.",
        _dial_failed,
    ),
    Cause(
        "server silent",
        "The server stopped answering.",
        "Look at the server's process: it may be stopped, frozen or overloaded.",
        _server_silent,
    ),
    Cause(
        "nothing tried",
        "The client's journal has nothing of this run.",
        "Collect the journals again. If the result is the same, the client did not get the request.",
        _nothing_tried,
    ),
    Cause(
        "unknown",
        "None of the above; the client's own error is all that is known.",
        "Look at the last lines before the missing milestone.",
        lambda case: case.run.session.error if isinstance(case.run.session, Failure) else "unknown",
    ),
)


def missing_milestone(case: Case) -> tuple[Host, Milestone] | None:
    """The first milestone before a session that a journal lacks, and the host of that journal."""
    client, server = case.run.client, case.run.server
    way = [(client, m.DIAL_STARTED), (client, m.CIRCUIT_OUTBOUND), (server, m.CIRCUIT_INBOUND)]
    way += [(client, m.STREAM_OPENED), (server, m.STREAM_ACCEPTED)]
    for step in (m.VERSION_RECEIVED, m.VERACK_RECEIVED, m.READY_RECEIVED, m.PEER_CONNECTED):
        way += [(server, step), (client, step)]
    seen = {
        host.name: {line.milestone for line in (*case.of_run(host), *case.native_lines(host))}
        for host in (client, server)
    }
    return next(((host, step) for host, step in way if step not in seen[host.name]), None)


def break_down(case: Case) -> Breakdown:
    """Find where and why the run stopped."""
    cause, reason = next((cause, text) for cause in CAUSES if (text := cause.look(case)) is not None)
    hint = cause.hint.format(relay_port=case.ports(case.run.relay), peer_port=case.ports(*_peers(case)))
    missing = missing_milestone(case)
    if missing is None:
        return Breakdown(cause.name, reason, hint, None, None, ())
    host, milestone = missing
    theirs = host.native is not None and milestone.name.startswith(("kaspa.", "peer."))
    lines = case.native_lines(host) if theirs else case.recent(host)
    last = [line for line in lines if line.milestone is not None][-QUOTED_LINES:]
    return Breakdown(cause.name, reason, hint, milestone.name, host.name, tuple(last))
