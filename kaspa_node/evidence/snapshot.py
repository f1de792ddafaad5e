"""A host at one moment: its service, the kernel's view of its sockets, its own status."""

from __future__ import annotations

from dataclasses import dataclass

from kaspa_node.evidence.decode import DecodeError, Record, as_integer, as_record
from kaspa_node.evidence.endpoints import Endpoint, parse_endpoint
from kaspa_node.evidence.status import Status, read_status


@dataclass(frozen=True, slots=True)
class Service:
    """What the service manager says; invocation is a new text at every start of the service."""

    name: str
    active: bool
    pid: int | None
    invocation: str | None


@dataclass(frozen=True, slots=True)
class KernelSocket:
    """One entry of a snapshot's sockets (kaspa_node.evidence.sockets); an end is None if it has no port."""

    state: str
    local: Endpoint | None
    remote: Endpoint | None
    bytes_acked: int | None
    bytes_received: int | None
    cookie: str | None
    cgroup: str | None
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NativeProgram:
    """The native Kaspa program beside a peer: its own unit, and the sockets of that unit."""

    service: Service
    sockets: tuple[KernelSocket, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A host at one moment; `error` says why a part of it is None. native: None if no such program runs."""

    time: float
    controller_time: float
    service: Service | None
    sockets: tuple[KernelSocket, ...] | None
    status: Status | None
    native: NativeProgram | None
    error: str | None


def read_snapshot(record: Record, host: str, label: str) -> Snapshot:
    """Read the host's snapshot of that name; DecodeError says which field is not as it should be."""
    for name, expected in (("host", host), ("label", label)):
        if record.text(name) != expected:
            raise DecodeError(f"{record.where}: {name} is {record.text(name)!r}, expected {expected!r}")
    return Snapshot(
        time=record.number("time"),
        controller_time=record.number("controller_time"),
        service=_read_service(record.record("service")) if record.present("service") else None,
        sockets=record.list("sockets", _read_socket) if record.present("sockets") else None,
        status=read_status(reply(record, "status")) if record.present("status") else None,
        native=_read_native(record.record("native")) if record.present("native") else None,
        error=record.any_text("error"),
    )


def reply(record: Record, name: str) -> Record:
    """The content of a control reply, with or without its envelope `{"ok": …, name: …}`."""
    reply = record.record(name)
    return reply.record(name) if reply.present("ok") and reply.present(name) else reply


def _read_service(record: Record) -> Service:
    return Service(
        record.text("name"),
        record.boolean("active"),
        record.optional("pid", record.integer) or None,
        record.any_text("invocation"),
    )


def _read_native(record: Record) -> NativeProgram:
    return NativeProgram(_read_service(record.record("service")), record.list("sockets", _read_socket))


def _read_socket(where: str, value: object) -> KernelSocket:
    record = as_record(where, value)
    return KernelSocket(
        state=record.text("state"),
        local=parse_endpoint(record.text("local")),
        remote=parse_endpoint(record.text("remote")),
        bytes_acked=record.optional("bytes_acked", record.integer),
        bytes_received=record.optional("bytes_received", record.integer),
        cookie=record.any_text("cookie"),
        cgroup=record.any_text("cgroup"),
        pids=record.list("pids", as_integer) if record.present("pids") else (),
    )
