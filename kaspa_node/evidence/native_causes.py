"""Why a native program has no session although the path is up."""

from __future__ import annotations

from kaspa_node import milestones as m
from kaspa_node.evidence.bundle import Failure, Host
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.handshake_proof import program
from kaspa_node.evidence.snapshot import Snapshot


def _sides(case: Case) -> list[Host]:
    """The peers with a native program, if there is a path for it."""
    if isinstance(case.run.session, Failure):
        return []
    return [host for host in (case.run.server, case.run.client) if host.native is not None]


def down(case: Case) -> str | None:
    """The server's native program does not run, or the client's never ran; it ends by itself after a failure."""
    for host in _sides(case):
        seen = case.snapshot(host, case.session_labels[-1])
        native = seen.native if isinstance(seen, Snapshot) else None
        ended = host is case.run.client and len(case.native_lines(host)) > 0
        if native is not None and not native.service.active and not ended:
            return f"{program(host)} is not running"
    return None


def refused(case: Case) -> str | None:
    """The peer could not connect a stream to the program beside it."""
    server = case.run.server
    found = [line for line in case.recent(server) if line.milestone is m.BACKEND_REFUSED]
    if server.native is None or not found:
        return None
    return (
        f"{program(server)} can't be reached by the peer beside it: {found[-1].fields.get('reason', 'no reason given')}"
    )


def unreached(case: Case) -> str | None:
    """The peer had no path to the remote when the program connected."""
    client = case.run.client
    found = [line for line in case.recent(client) if line.milestone is m.REMOTE_UNREACHED]
    if client.native is None or not found:
        return None
    return f"the call of {program(client)} was refused: {found[-1].fields.get('reason', 'no reason given')}"


def failed(case: Case) -> str | None:
    """A native program aborted the handshake."""
    for host in _sides(case):
        for line in case.native_lines(host):
            if line.milestone is m.HANDSHAKE_FAILED:
                return f"the Kaspa handshake failed, says {program(host)}: {line.fields['reason']}"
    return None


def silent(case: Case) -> str | None:
    """The handshake did not happen in time."""
    waited = [case.snapshot(host, "during") for host in _sides(case)]
    errors = [look.error for look in waited if isinstance(look, Snapshot) and look.error is not None]
    return errors[-1] if errors else None
