"""Why two peers that use a relay get no direct connection: the behaviour of their NATs, and the results of hole
punches.

A hole punch dials the address that the relay saw. This works only if the NAT uses the same mapping of the peer's
listening port for other destinations too (endpoint-independent mapping, RFC 4787). One destination can't show that: a
changed port may be the same for all destinations. Two destinations that saw different addresses prove the opposite.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kaspa_node import milestones as m
from kaspa_node.evidence.endpoints import Endpoint
from kaspa_node.evidence.journal_lines import Line
from operations.doctor.facts import Facts, Host, RelayLink
from operations.doctor.findings import Finding
from operations.doctor.pair import DIRECT, RELAYED, Pair

NO_NAT, KEPT, CHANGED, SYMMETRIC, UNKNOWN = "no NAT", "kept", "changed", "symmetric", "unknown"


@dataclass(frozen=True, slots=True)
class Mapping:
    """What is known about the NAT of a peer.

    kind: NO_NAT; KEPT, the public port is the local one; CHANGED, another port, as far as known the same for all;
    SYMMETRIC, another port for each destination; UNKNOWN. seen: the listening port as each destination saw it.
    """

    host: str
    kind: str
    seen: tuple[tuple[str, Endpoint], ...]

    def __str__(self) -> str:
        seen = ", ".join(f"{where} saw {end}" for where, end in self.seen)
        return f"{self.host}: {seen or 'no host has seen its port'}"


def mapping(facts: Facts, host: Host) -> Mapping:
    """A host's NAT, from the relays' reports and the doctor's own connections."""
    links = () if host.status is None else host.status.relays
    seen = [(_relay_name(facts, link), link.observed) for link in links if link.observed is not None]
    seen += [(each.destination, each.seen) for each in facts.mapped if each.origin == host.name]
    ends = {end for _, end in seen}
    if not ends:
        kind = UNKNOWN
    elif any(end.ip in host.addresses for end in ends):
        kind = NO_NAT
    elif len(ends) > 1:
        kind = SYMMETRIC
    else:
        kind = KEPT if {end.port for end in ends} == {host.port} else CHANGED
    return Mapping(host.name, kind, tuple(seen))


def _relay_name(facts: Facts, link: RelayLink) -> str:
    relay = facts.named(link.peer_id)
    return relay.name if relay is not None else "a relay"


def _forward(pair: Pair) -> str:
    one, other = pair.peers
    ports = " or ".join(dict.fromkeys(f"{host.port}/tcp" for host in (one, other)))
    return (
        f"On the router of {one.name} or {other.name}, forward its port ({ports}) to it and "
        "name the public address in kaspa_peer_announce; or use a NAT there that keeps one mapping for all "
        "destinations. Until then the session runs over the relay."
    )


def examine(pair: Pair) -> Iterator[Finding]:
    """Why it is not direct, if the two can connect through a relay."""
    if pair.path == DIRECT:
        return
    about = frozenset({pair.dialer.name, pair.dialed.name})
    maps = [mapping(pair.facts, host) for host in pair.peers]
    symmetric = [each for each in maps if each.kind == SYMMETRIC]
    evidence = "; ".join(str(each) for each in maps)
    if len(symmetric) == 2:
        text = f"the NATs of {' and '.join(each.host for each in maps)} are both symmetric: no punch can succeed"
        yield Finding("nat-symmetric", about, text, evidence, _forward(pair))
    elif symmetric:
        [one] = symmetric
        [other] = [each.host for each in maps if each is not one]
        text = f"the NAT of {one.host} is symmetric: its dials come from another port than the one that {other} expects"
        yield Finding("nat-symmetric", about, text, evidence, _forward(pair))
    yield from _port_not_used(pair)
    publics = {end.ip for each in maps for _, end in each.seen}
    if len(publics) == 1 and all(each.seen for each in maps) and not any(each.kind == NO_NAT for each in maps):
        yield Finding(
            "nat-shared",
            about,
            f"{pair.dialer.name} and {pair.dialed.name} share the public address {publics.pop()}",
            evidence,
            "Their router would have to send packets for its own public address back in (hairpinning), which few do; "
            "name the local address in kaspa_peer_announce.",
        )
    yield from _punches(pair, maps)


def _port_not_used(pair: Pair) -> Iterator[Finding]:
    for host in pair.peers:
        for link in () if host.status is None else host.status.relays:
            if link.state == "reserved" and link.observed is None:
                yield Finding(
                    "port-not-used",
                    frozenset({host.name}),
                    f"no relay knows at which public port {host.name} listens",
                    "its connection to the relay did not leave from the listening port, which was busy",
                    "Wait a minute: it moves back by itself; fab status shows the observed address then.",
                )


def last_punch(host: Host, peer_id: str | None) -> tuple[Line, ...]:
    """The lines of the latest punch with that peer, all of its attempts, oldest first."""
    kinds = (m.PUNCH_STARTED, m.PUNCH_FAILED, m.PUNCH_SUCCEEDED)
    lines = [line for line in host.lines if line.milestone in kinds and line.fields.get("peer") == peer_id]
    return tuple(line for line in lines if line.fields.get("relayed") == lines[-1].fields.get("relayed"))


def _punches(pair: Pair, maps: list[Mapping]) -> Iterator[Finding]:
    """The result of the last hole punches, by both journals; only with a relayed path, or if the policy forbids it."""
    failed = {host.name: _failure(host, pair.other(host).peer_id) for host in pair.peers}
    reasons = [f"{name}: {line.fields.get('reason', 'no reason given')}" for name, line in failed.items() if line]
    attempts = max((line.count("attempt") or 1 for line in failed.values() if line), default=0)
    about = frozenset({pair.dialer.name, pair.dialed.name})
    if attempts:
        times = "the last hole punch" if attempts == 1 else f"the last {attempts} hole punches"
        text = f"{times} between {pair.dialer.name} and {pair.dialed.name} failed"
        yield Finding("punch-failed", about, text, "; ".join(reasons), _punch_remedy(pair, maps))
    elif pair.path == RELAYED:
        said = pair.remote.reason if pair.remote is not None else None
        text = f"{pair.dialer.name} and {pair.dialed.name} have tried no hole punch"
        evidence = said or "neither journal has a punch of this start"
        yield Finding("punch-failed", about, text, evidence, f"Try one: fab dial {pair.dialer.name} {pair.dialed.name}")


def _failure(host: Host, peer_id: str | None) -> Line | None:
    """The last failure, if the latest hole punch did not succeed."""
    lines = last_punch(host, peer_id)
    if any(line.milestone is m.PUNCH_SUCCEEDED for line in lines):
        return None
    return next((line for line in reversed(lines) if line.milestone is m.PUNCH_FAILED), None)


def _punch_remedy(pair: Pair, maps: list[Mapping]) -> str:
    if any(each.kind == SYMMETRIC for each in maps):
        return _forward(pair)
    told = ", ".join(each.host for each in maps if each.kind in (CHANGED, UNKNOWN))
    hint = f" (whether the NAT of {told} is symmetric could not be tried)" if told else ""
    return (
        f"A firewall between the two, or a NAT that forgets its mappings: use fab capture during a fresh try{hint}. "
        f"Forwarding {pair.dialed.port}/tcp to {pair.dialed.name} on its router helps in any case."
    )
