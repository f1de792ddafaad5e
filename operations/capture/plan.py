"""Which places see a session, and which of the packets there are its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kaspa_node.evidence.endpoints import Endpoint, parse_endpoint

DIRECT = "direct"
ANY, LOOPBACK, WAN = "any", "lo", "wan"
"""Interfaces: every one of a host, that of one machine's own addresses, a lab router's towards the public segment."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class End:
    """A host's end of a session.

    local: its socket's own address. remote: where the socket leads, the other host or a relay. seen: where it comes
    from as the outside sees it, if anybody has told. since: unix time.
    """

    host: str
    local: Endpoint
    remote: Endpoint
    seen: Endpoint | None
    since: float


@dataclass(frozen=True)
class Session:
    """A session that stands; who dialed is the first of its ends. path: direct or relayed."""

    id: str
    path: str
    ends: tuple[End, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts at its ends, as far as they are in the inventory."""
        return tuple(end.host for end in self.ends)

    @property
    def told(self) -> str:
        """For a person who has to choose."""
        return f"{self.id} ({' and '.join(self.hosts)}, {self.path})"


@dataclass(frozen=True)
class Place:
    """Where packets are taken: a host or a router of the lab, an interface there, a filter (pcap-filter(7))."""

    name: str
    router: bool
    interface: str
    filter: str


def sessions(statuses: Mapping[str, Row]) -> list[Session]:
    """The sessions that hosts tell of in `kaspa-node status`, the newest first."""
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
    """None where the row does not say where its socket leads, since the connection has just gone."""
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
    """Of a direct session each end knows best where the other comes from."""
    if path != DIRECT or len(ends) != 2:
        return tuple(ends)
    return replace(ends[0], seen=ends[1].remote), replace(ends[1], seen=ends[0].remote)


def between(found: Iterable[Session], one: str, other: str) -> list[Session]:
    """Those of the sessions that have these two hosts at their ends."""
    return [session for session in found if set(session.hosts) == {one, other}]


def named(found: Sequence[Session], name: str) -> list[Session]:
    """The session of that id, else those whose id begins so."""
    exact = [session for session in found if session.id == name]
    return exact or [session for session in found if name and session.id.startswith(name)]


def places(session: Session, relays: Iterable[str], routers: Iterable[str], *, loopback: bool = False) -> list[Place]:
    """Where to take the session's packets: at its ends, on the relays, on the lab's routers.

    That nothing of a direct session is found on a relay is a finding. Of the ends of a relayed one the packets between
    their public addresses are taken as well: hole punches that don't get through. loopback: all hosts are addresses of
    one machine, and one place sees everything.
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
