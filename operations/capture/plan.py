"""The places that see a session, and the filter for its packets at each place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kaspa_node.evidence.endpoints import Endpoint, parse_endpoint

DIRECT = "direct"
ANY, LOOPBACK, WAN = "any", "lo", "wan"
"""Interfaces: all of a host, loopback, and a lab router's towards the public segment."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class End:
    """A host's end of a session.

    local: its socket's own address. remote: the other end of the socket, on the other host or a relay. seen: its
    address as the outside sees it, if known. since: unix time.
    """

    host: str
    local: Endpoint
    remote: Endpoint
    seen: Endpoint | None
    since: float


@dataclass(frozen=True)
class Session:
    """A session that is up; the first end is the dialer. path: direct or relayed."""

    id: str
    path: str
    ends: tuple[End, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts at its ends, as far as they are in the inventory."""
        return tuple(end.host for end in self.ends)

    @property
    def told(self) -> str:
        """A description for a user who must choose."""
        return f"{self.id} ({' and '.join(self.hosts)}, {self.path})"


@dataclass(frozen=True)
class Place:
    """A place to capture packets: a host or a router of the lab, an interface there, a filter (pcap-filter(7))."""

    name: str
    router: bool
    interface: str
    filter: str


def sessions(statuses: Mapping[str, Row]) -> list[Session]:
    """The sessions in the hosts' `kaspa-node status`, the newest first."""
    ends: dict[str, list[End]] = {}
    paths: dict[str, str] = {}
    for host, status in statuses.items():
        for row in status.get("sessions") or ():
            end = _end(host, status, row)
            if end is not None:
                place = 0 if row.get("direction") == "outgoing" else len(ends.get(row["session"], ()))
                ends.setdefault(row["session"], []).insert(place, end)
                paths[row["session"]] = row["path"]
    found = [Session(name, paths[name], _both_seen(paths[name], each)) for name, each in ends.items()]
    return sorted(found, key=lambda session: session.ends[0].since, reverse=True)


def _end(host: str, status: Row, row: Row) -> End | None:
    """None if the row has no remote address, because the connection has just ended."""
    local, remote = (parse_endpoint(str(row.get(key))) for key in ("local", "remote"))
    if local is None or remote is None:
        return None
    observed = {
        parse_endpoint(str(relay.get("addr"))): parse_endpoint(str(relay.get("observed")))
        for relay in status.get("relays") or ()
    }
    seen = observed.get(remote) or next((each for each in observed.values() if each is not None), None)
    return End(host, local, remote, seen, float(row.get("since") or 0.0))


def _both_seen(path: str, ends: Sequence[End]) -> tuple[End, ...]:
    """For a direct session each end knows the other's outside address best."""
    if path != DIRECT or len(ends) != 2:
        return tuple(ends)
    return replace(ends[0], seen=ends[1].remote), replace(ends[1], seen=ends[0].remote)


def between(found: Iterable[Session], one: str, other: str) -> list[Session]:
    """The sessions between these two hosts."""
    return [session for session in found if set(session.hosts) == {one, other}]


def named(found: Sequence[Session], name: str) -> list[Session]:
    """The session with that id, otherwise those whose ids begin with it."""
    exact = [session for session in found if session.id == name]
    return exact or [session for session in found if name and session.id.startswith(name)]


def places(session: Session, relays: Iterable[str], routers: Iterable[str], *, loopback: bool = False) -> list[Place]:
    """The places to capture the session's packets: at its ends, on the relays, on the lab's routers.

    A relay is included for a direct session too, because no packets there is also a result. For a relayed session the
    packets between the public addresses of its ends are captured too: hole punches that don't get through. loopback:
    all hosts are addresses of one machine, and one place sees everything.
    """
    middle = _filter([*_legs(session), *_punches(session)])
    if loopback:
        return [Place(session.ends[0].host, False, LOOPBACK, middle)]
    ends = [
        Place(end.host, False, ANY, _filter([_pair(end.local, end.remote), *_punches_at(session, end)]))
        for end in session.ends
    ]
    return [
        *ends,
        *(Place(name, False, ANY, middle) for name in relays),
        *(Place(name, True, WAN, middle) for name in routers),
    ]


def _legs(session: Session) -> list[str]:
    """The session's TCP connections as the outside sees them."""
    return list(dict.fromkeys(_pair(*sorted((end.seen or end.local, end.remote))) for end in session.ends))


def _punches(session: Session) -> list[str]:
    ips = [end.seen.ip for end in session.ends if end.seen is not None]
    return [f"host {ips[0]} and host {ips[1]}"] if session.path != DIRECT and len(ips) == 2 else []


def _punches_at(session: Session, end: End) -> list[str]:
    others = [other.seen for other in session.ends if other is not end and other.seen is not None]
    return [f"host {other.ip}" for other in others] if session.path != DIRECT else []


def _pair(one: Endpoint, other: Endpoint) -> str:
    words = dict.fromkeys((f"host {one.ip}", f"port {one.port}", f"host {other.ip}", f"port {other.port}"))
    return " and ".join(words)


def _filter(choices: Sequence[str]) -> str:
    if len(choices) == 1:
        return f"tcp and {choices[0]}"
    return "tcp and (" + " or ".join(f"({choice})" for choice in choices) + ")"
