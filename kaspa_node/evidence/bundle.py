"""The evidence of one run as typed values, read from `evidence/<run>/raw`.

run.json decides what was asked for: without it there is nothing to judge (BundleError). Everything else is evidence: a
journal or a snapshot that is missing or unreadable is kept as such, with the reason, and proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kaspa_node.evidence.decode import DecodeError, Record, as_integer, as_record, as_text, parse_json
from kaspa_node.evidence.endpoints import Endpoint, parse_endpoint
from kaspa_node.evidence.journal_lines import Journal, read_journal
from kaspa_node.evidence.status import Status, read_status

EXPECTATIONS = ("direct", "relayed", "any")
NETWORK_MODES = ("hosts", "namespaces", "loopback")
_LONGEST_JSON = 16 * 1024 * 1024


class BundleError(Exception):
    """The evidence can't be judged at all; the text says which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host as the inventory and the collector know it; `unreachable` is the reason, None when it was reached."""

    name: str
    role: str
    peer_id: str | None
    service: str
    addresses: tuple[str, ...]
    public: str | None
    unreachable: str | None
    os: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """What was asked for did not succeed, for this reason."""

    error: str


@dataclass(frozen=True, slots=True)
class Session:
    """The dialing peer's answer to `session`; times in seconds, None where there was no such step."""

    session: str
    conn: str
    path: str
    peer_id: str
    run: str | None
    timings: dict[str, float | None]
    punch_attempts: int | None
    punch_reason: str | None


@dataclass(frozen=True, slots=True)
class Exercise:
    """The dialing peer's answer to `exercise`."""

    session: str
    pings: int


@dataclass(frozen=True, slots=True)
class Run:
    """run.json; times are Unix times by the controller's clock."""

    run_id: str
    started: float
    ended: float
    expect_path: str
    inventory: str
    network_mode: str
    client: Host
    server: Host
    relay: Host
    session: Session | Failure
    exercise: Exercise | Failure

    @property
    def hosts(self) -> tuple[Host, Host, Host]:
        """relay, server, client: the order in which they come into play."""
        return self.relay, self.server, self.client


@dataclass(frozen=True, slots=True)
class Service:
    """What the service manager says; invocation is a new text at every start of the service."""

    name: str
    active: bool
    pid: int | None
    invocation: str | None


@dataclass(frozen=True, slots=True)
class KernelSocket:
    """One entry of a snapshot's sockets (kaspa_node.evidence.sockets); an end is None where it names no port."""

    state: str
    local: Endpoint | None
    remote: Endpoint | None
    bytes_acked: int | None
    bytes_received: int | None
    cookie: str | None
    cgroup: str | None
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A host at one moment, before or after the exercise; `error` says why a part of it is None."""

    time: float
    controller_time: float
    service: Service | None
    sockets: tuple[KernelSocket, ...] | None
    status: Status | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """All evidence of a run; journals and snapshots by host name, a Failure for what could not be had."""

    run: Run
    journals: dict[str, Journal | Failure]
    before: dict[str, Snapshot | Failure]
    after: dict[str, Snapshot | Failure]


def load(raw: Path) -> Bundle:
    """Read `evidence/<run>/raw`; BundleError when run.json is missing or not what it should be."""
    try:
        run = _read_run(parse_json("run.json", _read_text(raw / "run.json")))
    except OSError as error:
        raise BundleError(
            f"{raw / 'run.json'}: {error.strerror}; give the directory that verify wrote, evidence/<run>"
        ) from None
    except DecodeError as error:
        raise BundleError(f"{raw}: {error}; the file is damaged or of another version, run verify again") from None
    names = [host.name for host in run.hosts]
    return Bundle(
        run,
        {name: _load_journal(raw / name / "journal.log") for name in names},
        {name: _load_snapshot(raw / name / "snapshot-before.json", name, "before") for name in names},
        {name: _load_snapshot(raw / name / "snapshot-after.json", name, "after") for name in names},
    )


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_LONGEST_JSON + 1)
    if len(data) > _LONGEST_JSON:
        raise DecodeError(f"{path.name}: larger than {_LONGEST_JSON} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise DecodeError(f"{path.name}: not UTF-8") from None


def _load_journal(path: Path) -> Journal | Failure:
    try:
        with path.open("rb") as file:
            return read_journal(file)
    except OSError as error:
        return Failure(f"{path.name}: {error.strerror}")


def _load_snapshot(path: Path, host: str, label: str) -> Snapshot | Failure:
    try:
        return _read_snapshot(parse_json(path.name, _read_text(path)), host, label)
    except OSError as error:
        return Failure(f"{path.name}: {error.strerror}")
    except DecodeError as error:
        return Failure(str(error))


def _read_run(record: Record) -> Run:
    pair, hosts = record.record("pair"), record.record("hosts")
    names = {part: pair.text(part) for part in ("client", "server", "relay")}
    if len(set(names.values())) != 3 or any("/" in name or name.startswith(".") for name in names.values()):
        raise DecodeError(f"{pair.where}: client, server and relay should be three host names")
    return Run(
        run_id=record.text("run_id"),
        started=record.number("started"),
        ended=record.number("ended"),
        expect_path=_one_of(record, "expect_path", EXPECTATIONS),
        inventory=record.text("inventory"),
        network_mode=_one_of(record, "network_mode", NETWORK_MODES) if record.present("network_mode") else "hosts",
        **{part: _read_host(name, hosts.record(name)) for part, name in names.items()},
        session=_read_session(record),
        exercise=_read_exercise(record),
    )


def _one_of(record: Record, name: str, choices: tuple[str, ...]) -> str:
    value = record.text(name)
    if value not in choices:
        raise DecodeError(f"{record.where}: {name} should be one of {', '.join(choices)}, found {value!r}")
    return value


def _read_host(name: str, record: Record) -> Host:
    return Host(
        name=name,
        role=record.text("role"),
        peer_id=record.any_text("peer_id"),
        service=record.text("service"),
        addresses=record.list("addresses", as_text) if record.present("addresses") else (),
        public=record.any_text("public"),
        unreachable=record.any_text("unreachable"),
        os=record.any_text("os"),
        version=record.any_text("version"),
    )


def _read_session(run: Record) -> Session | Failure:
    if not run.present("session"):
        return Failure("no session was asked for")
    record = _reply(run, "session")
    error = record.any_text("error")
    if error is not None:
        return Failure(error)
    timings = record.record("timings") if record.present("timings") else as_record("timings", {})
    punch = record.record("punch") if record.present("punch") else as_record("punch", {})
    return Session(
        session=record.text("session"),
        conn=record.text("conn"),
        path=_one_of(record, "path", ("direct", "relayed")),
        peer_id=record.text("peer_id"),
        run=record.any_text("run"),
        timings={name: timings.optional(name, timings.number) for name in timings.names},
        punch_attempts=punch.optional("attempts", punch.integer),
        punch_reason=punch.any_text("reason"),
    )


def _read_exercise(run: Record) -> Exercise | Failure:
    if not run.present("exercise"):
        return Failure("the session was not exercised")
    record = _reply(run, "exercise")
    error = record.any_text("error")
    if error is not None:
        return Failure(error)
    return Exercise(record.text("session"), record.integer("pings"))


def _read_snapshot(record: Record, host: str, label: str) -> Snapshot:
    for name, expected in (("host", host), ("label", label)):
        if record.text(name) != expected:
            raise DecodeError(f"{record.where}: {name} is {record.text(name)!r}, expected {expected!r}")
    return Snapshot(
        time=record.number("time"),
        controller_time=record.number("controller_time"),
        service=_read_service(record.record("service")) if record.present("service") else None,
        sockets=record.list("sockets", _read_socket) if record.present("sockets") else None,
        status=read_status(_reply(record, "status")) if record.present("status") else None,
        error=record.any_text("error"),
    )


def _reply(record: Record, name: str) -> Record:
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
