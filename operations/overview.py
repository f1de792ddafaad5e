"""An overview of all nodes of an inventory, made from their hosts' answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kaspa_node.cli.render import age, cell, left, short, size
from operations.problems import HostProblem, OperationProblem
from operations.services import ServiceState

Row = Sequence[object]
Status = Mapping[str, Any]

_HELD = ("reserved", "connected")
"""States of a relay that a peer is content with: `connected` if its settings switch reservations off."""


@dataclass(frozen=True)
class Seen:
    """What is known about a host. services: the node's first. status: the node's answer, or None and why in `error`."""

    name: str
    role: str
    address: str
    services: tuple[ServiceState, ...]
    status: Status | None
    error: str | None

    @property
    def service(self) -> ServiceState:
        """The node's own."""
        return self.services[0]

    def problem(self) -> OperationProblem | None:
        """What is wrong with the node itself, and what to do; None if it answers."""
        service, name = self.service, self.service.name
        if service.state == "not-found":
            return HostProblem(f"no {name} is deployed there: ansible-playbook deploy.yml", self.name)
        if service.state == "failed":
            reason = f" ({service.result})" if service.result else ""
            return OperationProblem(f"{name} has failed{reason}: fab logs --host {self.name}", self.name)
        if not service.active:
            return OperationProblem(f"{name} is {service.state}: fab start --host {self.name}", self.name)
        if self.status is None:
            return OperationProblem(f"{name} runs and does not answer: {self.error}", self.name)
        return None

    def lacks(self) -> list[OperationProblem]:
        """What the node wants and does not have: a reservation, a session with a remote; one problem for each."""
        status = self.status or {}
        found = []
        for relay in rows(status, "relays"):
            if relay.get("state") not in _HELD:
                found.append(self._lacking(f"no reservation on relay {short(relay.get('peer_id'))}", relay))
        for _, remote, state, reason in _remotes(self.name, status, {}):
            found.append(self._lacking(f"no session with {remote}", {"state": state, "reason": reason}))
        return found

    def _lacking(self, what: str, entry: Status) -> OperationProblem:
        reason = f": {entry['reason']}" if entry.get("reason") else ""
        return OperationProblem(f"{what} ({entry.get('state')}{reason}): fab doctor", self.name)

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "role": self.role,
            "address": self.address,
            "service": self.service.as_dict(),
            "native": [service.as_dict() for service in self.services[1:]],
            "status": self.status,
            "error": self.error,
        }


@dataclass(frozen=True)
class Table:
    """A title, the names of the columns, and rows; a row's values are shown as they are, None as a dash."""

    title: str
    head: tuple[str, ...]
    rows: list[Row]


def tables(seen: Sequence[Seen], now: float) -> list[Table]:
    """What there is to show; now: unix time. Empty tables say so, except those that most inventories don't have."""
    names = {str(each.status["peer_id"]): each.name for each in seen if each.status and each.status.get("peer_id")}
    answered = [(each.name, each.status) for each in seen if each.status is not None]
    peers = [(name, status) for name, status in answered if status.get("role") != "relay"]
    relays = [(name, status) for name, status in answered if status.get("role") == "relay"]
    found = [
        Table(
            "hosts",
            ("host", "role", "unit", "state", "since", "version", "peer id", "network", "refused"),
            [_host(each, now) for each in seen],
        )
    ]
    natives = [_native(each.name, service, now) for each in seen for service in each.services[1:]]
    found += _some("native programs", ("host", "unit", "state", "since", "restarts"), natives)
    backends = [row for name, status in peers for row in _backend(name, status, now)]
    found += _some("external backends", ("host", "address", "state", "checked", "reason"), backends)
    if peers:
        found.append(
            Table(
                "reservations",
                ("host", "relay", "state", "expires in", "observed", "reason"),
                [row for name, status in peers for row in _reservations(name, status, names, now)],
            )
        )
        waiting = [row for name, status in peers for row in _remotes(name, status, names)]
        found += _some("remotes without a session", ("host", "remote", "state", "reason"), waiting)
        found.append(
            Table(
                "sessions",
                ("host", "with", "direction", "path", "state", "address", "sent", "received", "age"),
                [row for name, status in peers for row in _sessions(name, status, names, now)],
            )
        )
    if relays:
        found.append(
            Table(
                "relays",
                ("host", "reservations", "circuits", "since start", "bytes", "refused", "denied"),
                [_relay(name, status) for name, status in relays],
            )
        )
        circuits = [row for name, status in relays for row in _circuits(name, status, names, now)]
        found += _some("circuits", ("host", "from", "to", "forward", "backward", "age"), circuits)
    return found


def _some(title: str, head: tuple[str, ...], rows: list[Row]) -> list[Table]:
    return [Table(title, head, rows)] if rows else []


def _host(seen: Seen, now: float) -> Row:
    status = seen.status or {}
    state = seen.service.state if seen.status is not None or not seen.service.active else "silent"
    counters = status.get("counters")
    refused = counters.get("refused") if isinstance(counters, Mapping) else None
    since = age(seen.service.since, now)
    return (
        *(seen.name, seen.role, seen.service.name, state, since, status.get("version")),
        *(short(status.get("peer_id")), status.get("network"), refused or None),
    )


def _native(name: str, service: ServiceState, now: float) -> Row:
    return name, service.name, service.state, age(service.since, now), service.restarts or None


def _backend(name: str, status: Status, now: float) -> Iterable[Row]:
    backend = status.get("backend")
    # A backend without an address is never connected to: its programs connect.
    if isinstance(backend, Mapping) and backend.get("address"):
        checked = backend.get("checked")
        state = "not called yet" if checked is None else backend.get("state")
        yield name, backend["address"], state, age(checked, now), backend.get("reason")


def _reservations(name: str, status: Status, names: Mapping[str, str], now: float) -> Iterable[Row]:
    for relay in rows(status, "relays"):
        expires = left(relay.get("expires"), now)
        yield name, known(relay, names), relay.get("state"), expires, relay.get("observed"), relay.get("reason")


def _remotes(name: str, status: Status, names: Mapping[str, str]) -> Iterable[Row]:
    ready = {cell(session.get("peer_id")) for session in rows(status, "sessions") if session.get("state") == "ready"}
    carried = isinstance(status.get("backend"), Mapping)
    for remote in rows(status, "remotes"):
        through = carried and remote.get("state") in ("direct", "relayed")
        if cell(remote.get("peer_id")) not in ready and not through:
            yield name, remote.get("name") or known(remote, names), remote.get("state"), remote.get("reason")


def _sessions(name: str, status: Status, names: Mapping[str, str], now: float) -> Iterable[Row]:
    for session in rows(status, "sessions"):
        yield (
            *(name, known(session, names), session.get("direction"), session.get("path"), session.get("state")),
            *(session.get("remote"), size(session.get("bytes_sent")), size(session.get("bytes_received"))),
            age(session.get("since"), now),
        )


def _relay(name: str, status: Status) -> Row:
    pairs = rows(status, "pairs")
    carried = sum(count(pair, "bytes_forward") + count(pair, "bytes_backward") for pair in pairs)
    counters = status.get("counters")
    counted = counters if isinstance(counters, Mapping) else {}
    return (
        *(name, len(rows(status, "reservations")), len(rows(status, "circuits"))),
        *(sum(count(pair, "circuits") for pair in pairs), size(carried), counted.get("refused"), counted.get("denied")),
    )


def _circuits(name: str, status: Status, names: Mapping[str, str], now: float) -> Iterable[Row]:
    for circuit in rows(status, "circuits"):
        yield (
            *(name, known(circuit, names, "src"), known(circuit, names, "dst")),
            *(size(circuit.get("bytes_forward")), size(circuit.get("bytes_backward"))),
            age(circuit.get("since"), now),
        )


def known(row: Status, names: Mapping[str, str], key: str = "peer_id") -> str:
    """The host whose peer id is in the row, otherwise the two ends of the id."""
    peer_id = row.get(key)
    return names.get(str(peer_id), short(peer_id))


def rows(status: Status, key: str) -> list[Status]:
    """The objects of a list in a node's answer; other values are left out: the node may have another version."""
    value = status.get(key)
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def count(row: Status, key: str) -> int:
    """A number in a node's answer, 0 if there is none."""
    value = row.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
