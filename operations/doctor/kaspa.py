"""The Kaspa handshake: rejections, backends that don't answer, and sessions that are missing without an explanation."""

from __future__ import annotations

from collections.abc import Iterator

from kaspa_node import milestones as m
from kaspa_node.evidence.journal_lines import Line
from kaspa_node.settings.model import EXTERNAL
from operations.doctor.facts import OPEN, Host
from operations.doctor.findings import Finding
from operations.doctor.pair import NOTHING, Pair
from operations.doctor.relay_paths import said

_UNDER_WAY = ("dialing", "punching")
_HANDSHAKE = (m.REJECT_SENT, m.REJECT_RECEIVED, m.HANDSHAKE_FAILED, m.PEER_CONNECTED)


def examine(pair: Pair) -> Iterator[Finding]:
    """All about Kaspa, and the missing session itself."""
    yield from _backend(pair)
    if pair.path != NOTHING:
        return
    yield from _rejected(pair)
    yield from _no_session(pair)


def _backend(pair: Pair) -> Iterator[Finding]:
    """Only the dialed peer's backend is connected to; the other peer's backend connects."""
    host = pair.dialed
    settings = host.settings
    if settings is None or settings.backend != EXTERNAL or settings.backend_address is None:
        return
    at = str(settings.backend_address)
    tried = pair.facts.outcome(host.name, at)
    state = host.status.backend if host.status is not None else None
    refusing = state is not None and state.state == "refusing"
    if tried == OPEN or (tried is None and not refusing):
        return
    evidence = [f"connecting from {host.name} {said(tried)}"] if tried else []
    evidence += [f"kaspa-node says {state.state}: {state.reason}"] if state is not None and refusing else []
    yield Finding(
        "backend-down",
        frozenset({host.name}),
        f"the external backend of {host.name} at {at} accepts no connection",
        "; ".join(evidence),
        f"Start the program that listens at {at} on {host.name}; the next stream tries it again by itself.",
    )


def _last(host: Host, peer_id: str | None) -> Line | None:
    lines = (x for x in reversed(host.lines) if x.milestone in _HANDSHAKE and x.fields.get("peer") == peer_id)
    return next(lines, None)


def _rejected(pair: Pair) -> Iterator[Finding]:
    about = frozenset({pair.dialer.name, pair.dialed.name})
    for host in pair.peers:
        other = pair.other(host)
        line = _last(host, other.peer_id)
        if line is None or line.milestone is m.PEER_CONNECTED:
            continue
        reason = line.fields.get("reason", "no reason given")
        # In kaspad's order: first the reject, then the failure of the handshake with the same text.
        if line.milestone is m.HANDSHAKE_FAILED:
            text, remedy = f"the Kaspa handshake failed on {host.name}", "Compare version, network and logs of both."
        else:
            by = host if line.milestone is m.REJECT_SENT else other
            text = f"{by.name} rejects the Kaspa handshake"
            remedy = "The reason is that peer's own: network, protocol version and peer id must match."
        yield Finding("kaspa-rejected", about, text, reason, remedy)
        return


def _no_session(pair: Pair) -> Iterator[Finding]:
    remote = pair.remote
    evidence = "its node does not answer" if pair.dialer.status is None else "its node knows nothing of it"
    if remote is not None:
        evidence = f"state {remote.state}" + (f": {remote.reason}" if remote.reason else "")
    remedy = f"Try again: fab dial {pair.dialer.name} {pair.dialed.name}; fab logs --milestones shows how far it comes."
    if remote is not None and remote.state in _UNDER_WAY and not remote.reason:
        remedy = "It is in progress: ask again in a few seconds."
    yield Finding(
        "no-session",
        pair.about,
        f"{pair.dialer.name} has no session with {pair.dialed.name}",
        f"{pair.dialer.name}: {evidence}",
        remedy,
    )
