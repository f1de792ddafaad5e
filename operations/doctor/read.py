"""From a host's output to facts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from kaspa_node.errors import ConfigError
from kaspa_node.evidence.decode import DecodeError, Record, as_record, as_text
from kaspa_node.evidence.endpoints import parse_endpoint
from kaspa_node.evidence.journal_lines import Line, LineError, parse_line
from kaspa_node.settings import Settings, load_settings
from operations.doctor.facts import Backend, Firewall, Host, RelayLink, RemoteState, Service, Session, Status
from operations.doctor.firewall import read_firewall


def read_host(inventory: Host, answer: Record, service: str, config: str, ahead: float) -> Host:
    """The facts of the host. inventory: what is known already; answer: of the probe `look`.

    service: its name. config: the path of the node's file there. ahead: seconds of its clock ahead of the controller's.
    Raises DecodeError if the answer is not one of the probe.
    """
    settings, wrong = read_settings(inventory.role, config, answer.any_text("config"), _texts(answer, "variables"))
    found = _service(service, answer)
    status = _status(answer.record("status")) if answer.present("status") else None
    if found.state == "not-found":
        settings, wrong = None, None
    if settings is not None and wrong is None and status is not None:
        wrong = _dials_itself(settings, status.peer_id)
    port = settings.listen[0].port if settings is not None and settings.listen[0].port else inventory.port
    return Host(
        name=inventory.name,
        role=inventory.role,
        port=port,
        dials=inventory.dials,
        announced=inventory.announced,
        clock_ahead=ahead,
        service=found,
        key_id=answer.any_text("key_id"),
        recorded_id=answer.any_text("recorded_id"),
        status=status,
        silence=answer.any_text("silence"),
        settings=settings,
        wrong=wrong,
        firewall=_firewall(answer, port, settings),
        addresses=answer.list("addresses", as_text),
        lines=_lines(answer.list("lines", as_text)),
    )


def _firewall(answer: Record, port: int, settings: Settings | None) -> Firewall | None:
    if not answer.present("filters"):
        return None
    listening = [each.host for each in settings.listen] if settings is not None else []
    return read_firewall(answer.record("filters"), port, listening)


def read_settings(
    role: str, path: str, text: str | None, variables: Mapping[str, str]
) -> tuple[Settings | None, str | None]:
    """The settings of a node from the text of its file and its variables, or why it can't use them."""
    if text is None:
        return None, f"{path} can't be read, or is not there"
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / Path(path).name
        copy.write_text(text, encoding="utf-8")
        try:
            return load_settings(role, copy, variables), None
        except ConfigError as error:
            return None, str(error).replace(str(copy), path)


def _dials_itself(settings: Settings, peer_id: str) -> str | None:
    try:
        settings.check(peer_id)
    except ConfigError as error:
        return str(error)
    return None


def _texts(record: Record, name: str) -> dict[str, str]:
    inner = record.record(name)
    return {key: value for key in inner.names if (value := inner.any_text(key)) is not None}


def _service(name: str, answer: Record) -> Service:
    record = answer.record("service")
    return Service(
        name=name,
        state=record.text("state"),
        exit_status=record.integer("exit_status"),
        restarts=record.integer("restarts"),
        stopped=record.boolean("stopped"),
        last=_sentence(answer.any_text("last") or ""),
        pid=record.integer("pid"),
    )


def _sentence(text: str) -> str:
    """A line of the log without time and fields; other lines unchanged."""
    try:
        return parse_line(1, text.encode()).sentence
    except LineError:
        return text


def _status(record: Record) -> Status:
    return Status(
        peer_id=record.text("peer_id"),
        network=record.any_text("network") or "",
        relays=record.list("relays", _link) if record.present("relays") else (),
        remotes=record.list("remotes", _remote) if record.present("remotes") else (),
        sessions=record.list("sessions", _session) if record.present("sessions") else (),
        backend=_backend(record.record("backend")) if record.present("backend") else None,
        reserved=frozenset(record.list("reservations", _peer_id) if record.present("reservations") else ()),
    )


def _link(where: str, value: object) -> RelayLink:
    record = as_record(where, value)
    observed = record.any_text("observed")
    return RelayLink(
        peer_id=record.text("peer_id"),
        addr=record.text("addr"),
        state=record.text("state"),
        reason=record.any_text("reason"),
        observed=parse_endpoint(observed) if observed else None,
    )


def _remote(where: str, value: object) -> RemoteState:
    record = as_record(where, value)
    return RemoteState(record.text("name"), record.text("peer_id"), record.text("state"), record.any_text("reason"))


def _session(where: str, value: object) -> Session:
    record = as_record(where, value)
    since = record.number("since") if record.present("since") else None
    return Session(record.text("peer_id"), record.text("path"), record.text("state"), since)


def _backend(record: Record) -> Backend:
    return Backend(record.any_text("address") or "", record.text("state"), record.any_text("reason"))


def _peer_id(where: str, value: object) -> str:
    return as_record(where, value).text("peer_id")


def _lines(texts: tuple[str, ...]) -> tuple[Line, ...]:
    found = []
    for number, text in enumerate(texts, 1):
        try:
            found.append(parse_line(number, text.encode()))
        except LineError:
            continue
    return tuple(found)


__all__ = ["DecodeError", "read_host", "read_settings"]
