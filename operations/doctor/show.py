"""The doctor's output: lines for people, and the same as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from operations.doctor.diagnose import Diagnosis
from operations.doctor.facts import PEER, Facts, Host
from operations.doctor.nats import NO_NAT, UNKNOWN, mapping
from operations.doctor.pair import NOTHING

HEAD = ("host", "service", "clock", "firewall", "reservations", "listening port seen as")


def rows(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A row of HEAD for each host."""
    for host in facts.hosts.values():
        if host.unreachable is not None:
            yield (host.name, "out of reach", *["-"] * (len(HEAD) - 2))
            continue
        clock = "right" if not round(host.clock_ahead) else f"{host.clock_ahead:+.0f} s"
        yield host.name, _service(host), clock, _firewall(host), _reservations(host), _seen(facts, host)


def _service(host: Host) -> str:
    if host.service is None:
        return "-"
    silent = host.service.running and host.status is None
    return f"{host.service.name} {'silent' if silent else host.service.state}"


def _firewall(host: Host) -> str:
    wall = host.firewall
    if wall is None:
        return "-"
    by = f" by IPv{wall.family}" if wall.family else ""
    if wall.shut:
        return f"{host.port} shut{by}"
    if wall.partly:
        return f"{host.port} partly open{by}"
    return f"{host.port} open" if wall.on else "off"


def _reservations(host: Host) -> str:
    if host.status is None:
        return "-"
    if host.role == PEER:
        return ", ".join(link.state for link in host.status.relays) or "none"
    return f"{len(host.status.reserved)} held"


def _seen(facts: Facts, host: Host) -> str:
    if host.role != PEER:
        return "-"
    found = mapping(facts, host)
    ends = list(dict.fromkeys(str(end) for _, end in found.seen))
    kinds = {NO_NAT: "no NAT", UNKNOWN: "unknown"}
    return f"{', '.join(ends)} ({found.kind})" if ends else kinds.get(found.kind, found.kind)


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The pair and its path, then a line for each finding, then the next thing to try."""
    says = "" if diagnosis.unconfirmed is None or diagnosis.path == NOTHING else "; not confirmed by the other"
    path = "not connected" if diagnosis.path == NOTHING else diagnosis.path
    yield f"{diagnosis.dialer} → {diagnosis.dialed}: {path}{says}"
    for told in diagnosis.told:
        finding = told.finding
        evidence = f" ({finding.evidence})" if finding.evidence else ""
        yield f"  {told.part}: {finding.text}{evidence}"
    if diagnosis.remedy is not None:
        yield f"  next: {diagnosis.remedy}"


def as_json(diagnosis: Diagnosis, advice: Callable[[str], str] = str) -> dict[str, Any]:
    """The same for programs; `why` and `next` are null if nothing was found. advice: makes commands complete."""
    return {
        "dialer": diagnosis.dialer,
        "dialed": diagnosis.dialed,
        "path": diagnosis.path,
        "unconfirmed": diagnosis.unconfirmed,
        "well": diagnosis.well,
        "why": diagnosis.why,
        "next": None if diagnosis.remedy is None else advice(diagnosis.remedy),
        "findings": [
            {
                "kind": told.finding.kind,
                "part": told.part,
                "hosts": sorted(told.finding.about),
                "text": told.finding.text,
                "evidence": told.finding.evidence,
                "next": advice(told.finding.remedy),
            }
            for told in diagnosis.told
        ],
    }


def host_json(facts: Facts, host: Host) -> dict[str, Any]:
    """What was found on a host, for programs."""
    if host.unreachable is not None:
        return {"unreachable": host.unreachable}
    found = mapping(facts, host)
    return {
        "peer_id": host.peer_id,
        "service": None if host.service is None else host.service.state,
        "clock_ahead": round(host.clock_ahead, 3),
        "firewall": None if host.firewall is None else host.firewall.on,
        "reached": {each.address: each.outcome for each in facts.reached if each.origin == host.name},
        "nat": None
        if host.role != PEER
        else {"kind": found.kind, "seen": {where: str(at) for where, at in found.seen}},
    }
