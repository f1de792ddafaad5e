"""Bytes and addresses as the kernels of the three hosts counted and saw them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from kaspa_node.evidence.bundle import Failure, Host
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.endpoints import Endpoint, canonical_ip
from kaspa_node.evidence.findings import Contradiction, Lacking
from kaspa_node.evidence.snapshot import KernelSocket, Snapshot
from kaspa_node.evidence.sockets import ESTABLISHED, in_cgroup_of
from kaspa_node.evidence.status import PairCount, Status

Link = tuple[Endpoint, Endpoint]
"""An established connection as its own end sees it: local, remote."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes that one end of a connection, or of several, sent (acknowledged) and received between the snapshots."""

    sent: int
    received: int

    @property
    def total(self) -> int:
        """Both directions."""
        return self.sent + self.received

    @property
    def turned(self) -> Growth:
        """The same bytes as the other end sees them."""
        return Growth(self.received, self.sent)

    def __add__(self, other: Growth) -> Growth:
        return Growth(self.sent + other.sent, self.received + other.received)


def complete(case: Case, host: Host, label: str) -> Snapshot:
    """That snapshot of the host; Lacking if it, or a part of it, is missing."""
    snapshot = case.snapshot(host, label)
    if isinstance(snapshot, Failure):
        raise Lacking(f"no snapshot {case.when(label)} from {host.name}: {snapshot.error}")
    if snapshot.error is not None:
        raise Lacking(f"the snapshot {case.when(label)} from {host.name} is incomplete: {snapshot.error}")
    return snapshot


def status(case: Case, host: Host, label: str) -> Status:
    """The program's own status in that snapshot; Lacking if there is none."""
    found = complete(case, host, label).status
    if found is None:
        raise Lacking(f"{host.name} gave no status {case.when(label)}")
    return found


def links(case: Case, host: Host, label: str) -> dict[Link, KernelSocket]:
    """The established connections that the host's service owns in that snapshot."""
    snapshot = complete(case, host, label)
    if snapshot.sockets is None:
        raise Lacking(f"{host.name} gave no socket list {case.when(label)}")
    found: dict[Link, KernelSocket] = {}
    for socket in snapshot.sockets:
        if socket.state != ESTABLISHED or socket.local is None or socket.remote is None:
            continue
        link = socket.local, socket.remote
        if socket.cgroup is None and not socket.pids:
            raise Lacking(f"{host.name}: the socket {_arrow(link)} does not say whose it is (cgroup or pids)")
        pid = snapshot.service.pid if snapshot.service else None
        if in_cgroup_of(socket.cgroup, host.service) or pid in socket.pids:
            found[link] = socket
    return found


def growth(case: Case, host: Host, link: Link) -> Growth:
    """The bytes of that connection from the first snapshot to the last; it must be the same socket in all."""
    ends: list[KernelSocket] = []
    for label in case.labels(host):
        socket = links(case, host, label).get(link)
        if socket is None:
            raise Lacking(f"{host.name}: no established socket {_arrow(link)} of {host.service} {case.when(label)}")
        ends.append(socket)
    return sum((_between(host, link, *pair) for pair in itertools.pairwise(ends)), Growth(0, 0))


def _between(host: Host, link: Link, before: KernelSocket, after: KernelSocket) -> Growth:
    what = f"{host.name}: the socket {_arrow(link)}"
    if before.cookie is None or after.cookie is None:
        raise Lacking(f"{what} has no cookie")
    if before.cookie != after.cookie:
        raise Contradiction(f"{what} was replaced by another between the snapshots")
    counts = before.bytes_acked, after.bytes_acked, before.bytes_received, after.bytes_received
    if None in counts:
        raise Lacking(f"{what} has no byte counts")
    acked, acked_after, received, received_after = (count or 0 for count in counts)
    if acked_after < acked or received_after < received:
        raise Contradiction(f"{what} counts backwards")
    return Growth(acked_after - acked, received_after - received)


def _to_relay(case: Case, host: Host, label: str) -> set[Link]:
    """The peer's connections to the relay: by the relay's addresses and the ports that it has connections on."""
    relay = case.run.relay
    here = {local for when in ("before", "after") for local, _ in links(case, relay, when)}
    known = {canonical_ip(ip) for ip in (*relay.addresses, *((relay.public,) if relay.public else ()))}
    ips, ports = known | {end.ip for end in here}, {end.port for end in here}
    return {link for link in links(case, host, label) if link[1].ip in ips and link[1].port in ports}


def relay_growth(case: Case, host: Host) -> Growth:
    """Bytes between the peer and the relay, counted by the peer's kernel."""
    before, after = _to_relay(case, host, "before"), _to_relay(case, host, "after")
    return _sum(case, host, before, after, f"between {host.name} and the relay")


def relay_growth_at_relay(case: Case, host: Host) -> Growth:
    """Bytes between the peer and the relay, counted by the relay's kernel."""
    ends, relay = seen_by_relay(case, host), case.run.relay
    others = {end.ip for end in seen_by_relay(case, case.other(host))}
    # Every port of the peer's address counts. Only two peers behind one NAT, or on one machine, are distinguished by
    # port.
    ips = {end.ip for end in ends} - others
    before, after = (
        {link for link in links(case, relay, label) if link[1] in ends or link[1].ip in ips}
        for label in ("before", "after")
    )
    return _sum(case, relay, before, after, f"between the relay and {host.name}")


def _sum(case: Case, host: Host, before: set[Link], after: set[Link], what: str) -> Growth:
    if not before:
        raise Lacking(f"{host.name}'s sockets show no connection {what}")
    cookies = [
        {link: socket.cookie for link, socket in links(case, host, label).items() if link in before}
        for label in ("before", "after")
    ]
    if before != after or cookies[0] != cookies[1]:
        raise Lacking(f"a connection {what} came or went between the snapshots, so its bytes are not known")
    return sum((growth(case, host, link) for link in sorted(before)), Growth(0, 0))


def seen_by_relay(case: Case, host: Host) -> set[Endpoint]:
    """The peer's addresses as the relay's kernel sees them in both snapshots.

    The peer's connections are those that the relay reports for its peer id. If the relay reports none, it is the
    address that the relay reported to the peer or, for a peer without NAT, the peer's own end.
    """
    remotes = {remote for _, remote in links(case, case.run.relay, "before")}
    remotes &= {remote for _, remote in links(case, case.run.relay, "after")}
    ends: set[Endpoint | None] = {local for local, _ in _to_relay(case, host, "before")}
    books = status(case, case.run.relay, "before")
    by_relay = [each.observed for each in (*books.reservations, *books.connections) if each.peer_id == host.peer_id]
    by_peer = [r.observed for r in status(case, host, "before").relays if r.peer_id == case.run.relay.peer_id]
    return {end for end in ends.union(by_relay or by_peer) if end is not None} & remotes


def pair_growth(case: Case) -> tuple[int, int]:
    """Circuits and bytes that the relay's counter of the pair grew by; it must exist before and never shrink."""
    before, after = (_pairs(case, label) for label in ("before", "after"))
    if not before:
        raise Lacking(f"the relay {case.run.relay.name} counts no circuit between the two peers")
    circuits = bytes_ = 0
    for key, count in before.items():
        later = after.get(key)
        if later is None or later.circuits < count.circuits or later.bytes < count.bytes:
            raise Lacking(f"the counter of the relay {case.run.relay.name} for the pair was reset during the run")
        circuits, bytes_ = circuits + later.circuits - count.circuits, bytes_ + later.bytes - count.bytes
    for key in after.keys() - before.keys():
        circuits, bytes_ = circuits + after[key].circuits, bytes_ + after[key].bytes
    return circuits, bytes_


def _pairs(case: Case, label: str) -> dict[tuple[str, str], PairCount]:
    pairs = status(case, case.run.relay, label).pairs
    if pairs is None:
        raise Lacking(f"the relay {case.run.relay.name} gave no counters {case.when(label)}")
    wanted = {case.run.client.peer_id, case.run.server.peer_id}
    found = [pair for pair in pairs if {pair.src, pair.dst} == wanted]
    if len({pair.src for pair in found}) < len(found):
        raise Lacking(f"the relay {case.run.relay.name} counts one pair twice {case.when(label)}")
    return {(pair.src, pair.dst): pair for pair in found}


def _arrow(link: Link) -> str:
    return f"{link[0]} -> {link[1]}"
