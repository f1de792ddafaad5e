"""The evidence of one run as typed values, read from `evidence/<run>/raw`.

run.json says what was asked for. Without it there is nothing to judge (BundleError). Everything else is evidence: if a
journal or a snapshot is missing or unreadable, this is recorded with the reason, and it proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kaspa_node.evidence import reasons
from kaspa_node.evidence.decode import DecodeError, Record, as_record, as_text, parse_json
from kaspa_node.evidence.journal_lines import Journal, read_journal
from kaspa_node.evidence.kaspad_lines import read_kaspad_journal
from kaspa_node.evidence.snapshot import Snapshot, read_snapshot, reply

EXPECTATIONS = ("direct", "relayed", "any")
NETWORK_MODES = ("hosts", "namespaces", "loopback")
NATIVE_UNITS = {"client": ("kaspa-native-client",), "server": ("kaspa-native-server",)}
"""The units of the native programs, by the side that they are for."""
_LONGEST_JSON = 16 * 1024 * 1024


class BundleError(Exception):
    """The evidence can't be judged at all; the text says which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host as the inventory and the collector know it; `unreachable` is the reason, None if the host was reached.

    native: the unit of the native program beside the peer, None if the peer itself speaks Kaspa.
    """

    name: str
    role: str
    peer_id: str | None
    service: str
    native: str | None
    addresses: tuple[str, ...]
    public: str | None
    unreachable: str | None
    os: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """The request did not succeed, for this reason."""

    error: str


@dataclass(frozen=True, slots=True)
class Session:
    """The dialing peer's answer to `session`; times in seconds, None if there was no such step.

    session: "" if a native program opens the stream later, so that the answer can't name it yet.
    punch_reason: why there is no direct connection, for people. punch_code: the same as a code.
    """

    session: str
    conn: str
    path: str
    peer_id: str
    run: str | None
    timings: dict[str, float | None]
    punch_attempts: int | None
    punch_reason: str | None
    punch_code: str | None


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
        """relay, server, client: the order in which they act."""
        return self.relay, self.server, self.client

    @property
    def native(self) -> frozenset[str]:
        """Which of `client` and `server` speak Kaspa by a native program."""
        sides = (("client", self.client), ("server", self.server))
        return frozenset(side for side, host in sides if host.native is not None)


@dataclass(frozen=True, slots=True)
class Bundle:
    """All evidence of a run, by host name; a Failure for missing parts.

    native: logs of native programs. snapshots: by label. `during` exists if the client's program is
    native: the session is up then, and all of its bytes were sent after `before`.
    """

    run: Run
    journals: dict[str, Journal | Failure]
    native: dict[str, Journal | Failure]
    snapshots: dict[str, dict[str, Snapshot | Failure]]


def load(raw: Path) -> Bundle:
    """Read `evidence/<run>/raw`; BundleError if run.json is missing or wrong."""
    try:
        run = _read_run(parse_json("run.json", _read_text(raw / "run.json")))
    except OSError as error:
        raise BundleError(
            f"{raw / 'run.json'}: {error.strerror}; give the directory that verify wrote, evidence/<run>"
        ) from None
    except DecodeError as error:
        raise BundleError(f"{raw}: {error}; the file is damaged or of another version, run verify again") from None
    looks = {
        "before": run.hosts,
        "during": (run.server, run.client) if "client" in run.native else (),
        "after": run.hosts,
    }
    return Bundle(
        run,
        {host.name: _load_journal(raw / host.name / "journal.log", read_journal) for host in run.hosts},
        {
            host.name: _load_journal(raw / host.name / "native.log", read_kaspad_journal)
            for host in run.hosts
            if host.native is not None
        },
        {
            label: {h.name: _load_snapshot(raw / h.name / f"snapshot-{label}.json", h.name, label) for h in hosts}
            for label, hosts in looks.items()
        },
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


def _load_journal(path: Path, read: Callable[[BinaryIO], Journal]) -> Journal | Failure:
    try:
        with path.open("rb") as file:
            return read(file)
    except OSError as error:
        return Failure(f"{path.name}: {error.strerror}")


def _load_snapshot(path: Path, host: str, label: str) -> Snapshot | Failure:
    try:
        return read_snapshot(parse_json(path.name, _read_text(path)), host, label)
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
        **{part: _read_host(part, name, hosts.record(name)) for part, name in names.items()},
        session=_read_session(record, native=hosts.record(names["client"]).present("native")),
        exercise=_read_exercise(record),
    )


def _one_of(record: Record, name: str, choices: tuple[str, ...]) -> str:
    value = record.text(name)
    if value not in choices:
        raise DecodeError(f"{record.where}: {name} should be one of {', '.join(choices)}, found {value!r}")
    return value


def _read_host(part: str, name: str, record: Record) -> Host:
    return Host(
        name=name,
        role=record.text("role"),
        peer_id=record.any_text("peer_id"),
        service=record.text("service"),
        native=_one_of(record, "native", NATIVE_UNITS.get(part, ())) if record.present("native") else None,
        addresses=record.list("addresses", as_text) if record.present("addresses") else (),
        public=record.any_text("public"),
        unreachable=record.any_text("unreachable"),
        os=record.any_text("os"),
        version=record.any_text("version"),
    )


def _read_session(run: Record, native: bool) -> Session | Failure:
    if not run.present("session"):
        return Failure("no session was asked for")
    record = reply(run, "session")
    error = record.any_text("error")
    if error is not None:
        return Failure(error)
    timings = record.record("timings") if record.present("timings") else as_record("timings", {})
    punch = record.record("punch") if record.present("punch") else as_record("punch", {})
    return Session(
        session=(record.any_text("session") or "") if native else record.text("session"),
        conn=record.text("conn"),
        path=_one_of(record, "path", ("direct", "relayed")),
        peer_id=record.text("peer_id"),
        run=record.any_text("run"),
        timings={name: timings.optional(name, timings.number) for name in timings.names},
        punch_attempts=punch.optional("attempts", punch.integer),
        punch_reason=punch.any_text("reason"),
        punch_code=punch.any_text("code") or reasons.code_of(punch.any_text("reason")),
    )


def _read_exercise(run: Record) -> Exercise | Failure:
    if not run.present("exercise"):
        return Failure("the session was not exercised")
    record = reply(run, "exercise")
    error = record.any_text("error")
    if error is not None:
        return Failure(error)
    return Exercise(record.text("session"), record.integer("pings"))
