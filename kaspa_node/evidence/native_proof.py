"""Pieces of proof that connect a native program with the session: by the local socket between program and peer.

The program knows no path, and the peer knows only the address that the program called from. The kernel knows both ends
of that socket: which unit owns each, and how many bytes went over it. So a line in the program's log with that address
is about the stream that the peer forwarded, and the kernel counts the bytes of the stream.
"""

from __future__ import annotations

from collections.abc import Iterable

from kaspa_node.evidence import measure
from kaspa_node.evidence.bundle import Host
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.endpoints import Endpoint
from kaspa_node.evidence.findings import Contradiction, Lacking
from kaspa_node.evidence.handshake_proof import caller, local_forward, program
from kaspa_node.evidence.measure import Growth
from kaspa_node.evidence.session_proof import the_session
from kaspa_node.evidence.snapshot import KernelSocket, NativeProgram, Service, Snapshot
from kaspa_node.evidence.sockets import ESTABLISHED, in_cgroup_of

HANDSHAKE_BYTES = 128
"""The least bytes in each direction of a Kaspa handshake over gRPC: Version, Verack and Ready, 5 and 9 bytes around
each, HTTP/2's settings and headers. The programs of the first proof of concept need about 350 and 260."""
LOCAL_IN_FLIGHT = 64
"""Bytes by which two counts of one stream may differ: after Ready only the end of the stream is sent."""


def of_client(case: Case) -> str:
    """The local socket that the session's stream was opened for belongs to the client's native program."""
    return _joined(case, case.run.client)


def of_server(case: Case) -> str:
    """The local socket that the session's stream was connected to belongs to the server's native program."""
    return _joined(case, case.run.server)


def _joined(case: Case, host: Host) -> str:
    services = [_running(case, host, label) for label in _labels(case, host)]
    if len({(service.pid, service.invocation) for service in services}) != 1:
        raise Contradiction(f"{program(host)} was started again during the run")
    if len({tuple(end.cookie for end in _ends(case, host, label)) for label in case.session_labels}) > 1:
        raise Contradiction(f"the socket of {program(host)} was replaced by another between the snapshots")
    moved = carried(case, host)
    theirs, _ = _ends(case, host, case.session_labels[-1])
    return f"{program(host)}: {theirs.local} -> {theirs.remote}, {moved.sent} bytes out and {moved.received} in"


def _labels(case: Case, host: Host) -> Iterable[str]:
    """The snapshots between which the program must not restart: a client is started for the run."""
    return case.session_labels if host is case.run.client else {"before", *case.session_labels}


def _native(case: Case, host: Host, label: str) -> tuple[Snapshot, NativeProgram]:
    snapshot = measure.complete(case, host, label)
    if snapshot.native is None:
        raise Lacking(f"{host.name} said nothing of {host.native} {case.when(label)}")
    return snapshot, snapshot.native


def _running(case: Case, host: Host, label: str) -> Service:
    service = _native(case, host, label)[1].service
    if service.name.removesuffix(".service") != host.native:
        raise Contradiction(f"{host.name}: the snapshot is of {service.name}, not of {host.native}")
    if not service.active:
        raise Contradiction(f"{program(host)} was not active {case.when(label)}")
    if service.pid is None or service.invocation is None:
        raise Lacking(f"{host.name} did not say which start of {host.native} this is (pid, invocation)")
    return service


def _ends(case: Case, host: Host, label: str) -> tuple[KernelSocket, KernelSocket]:
    """Both ends of the local socket: the program's and the peer's, each in its own unit."""
    snapshot, native = _native(case, host, label)
    call = caller(case, host)
    at = local_forward(case) if host is case.run.client else _backend(case, host, label)
    link = (call, at) if host is case.run.client else (at, call)
    theirs = _owned(native.sockets, link, str(host.native))
    ours = _owned(snapshot.sockets or (), (link[1], link[0]), host.service)
    for unit, found in ((host.native, theirs), (host.service, ours)):
        if found is None:
            raise Lacking(f"{host.name}: {unit} has no part in a socket {call} -> {at} {case.when(label)}")
    assert theirs is not None
    assert ours is not None
    return theirs, ours


def _backend(case: Case, host: Host, label: str) -> Endpoint:
    found = measure.status(case, host, label).backend
    if found is None:
        raise Lacking(f"{host.name} does not report the address of its backend")
    return found


def _owned(sockets: Iterable[KernelSocket], link: measure.Link, unit: str) -> KernelSocket | None:
    return next(
        (
            socket
            for socket in sockets
            if socket.state == ESTABLISHED
            and (socket.local, socket.remote) == link
            and in_cgroup_of(socket.cgroup, unit)
        ),
        None,
    )


def carried(case: Case, host: Host) -> Growth:
    """What the native program on that host has sent and received over the session's stream, by the kernel.

    Both ends of the local socket are counted; the smaller count is used.
    """
    theirs, ours = _ends(case, host, case.session_labels[-1])
    counts = theirs.bytes_acked, ours.bytes_received, ours.bytes_acked, theirs.bytes_received
    if None in counts:
        raise Lacking(f"{host.name}: the socket of {host.native} has no byte counts")
    sent, taken, given, received = (count or 0 for count in counts)
    if max(abs(sent - taken), abs(given - received)) > LOCAL_IN_FLIGHT:
        raise Contradiction(f"{host.name}: the two ends of the socket of {host.native} count differently")
    moved = Growth(min(sent, taken), min(given, received))
    if min(moved.sent, moved.received) < HANDSHAKE_BYTES:
        raise Contradiction(
            f"{program(host)} sent {moved.sent} bytes and received {moved.received}; "
            f"a Kaspa handshake takes {HANDSHAKE_BYTES} each way"
        )
    return moved


def counted(case: Case) -> str:
    """The client's native program sent and received what the peers forwarded and the server's program received."""
    client, server = case.run.client, case.run.server
    moved = carried(case, client)
    for host, of_host in ((client, moved), (server, moved.turned)):
        sent, received = _stream_bytes(case, host)
        if sent < of_host.sent or received < of_host.received:
            raise Contradiction(
                f"{host.name} says that the stream carried {sent} bytes out and {received} in, "
                f"the kernel counted {of_host.sent} and {of_host.received} at {program(client)}"
            )
    if server.native is None:
        return f"{moved.sent} bytes out and {moved.received} in at {program(client)}"
    arrived = carried(case, server).turned
    if max(abs(moved.sent - arrived.sent), abs(moved.received - arrived.received)) > LOCAL_IN_FLIGHT:
        raise Contradiction(
            f"{program(client)} sent {moved.sent} bytes and received {moved.received}, "
            f"but {program(server)} received {arrived.sent} and sent {arrived.received}"
        )
    return (
        f"{moved.sent}/{arrived.sent} and {arrived.received}/{moved.received} bytes sent/received by the two programs"
    )


def _stream_bytes(case: Case, host: Host) -> tuple[int, int]:
    session = the_session(case)
    for row in measure.status(case, host, case.session_labels[-1]).sessions:
        if row.session == session.session and row.bytes_sent is not None and row.bytes_received is not None:
            return row.bytes_sent, row.bytes_received
    raise Lacking(f"{host.name} does not say how many bytes the session's stream carried")
