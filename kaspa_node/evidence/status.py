"""What a program reports about itself (`kaspa-node status --json`): claims, to be compared with the kernel's counts."""

from __future__ import annotations

from dataclasses import dataclass

from kaspa_node.evidence.decode import Record, as_record, as_text
from kaspa_node.evidence.endpoints import Endpoint, parse_endpoint


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """One Kaspa session of a peer; bytes are those of its stream, None if the peer does not report them."""

    session: str
    conn: str
    peer_id: str
    direction: str
    path: str
    state: str
    bytes_sent: int | None
    bytes_received: int | None


@dataclass(frozen=True, slots=True)
class Observed:
    """A relay's reservation of a peer or connection to it, or a peer's view of its relay.

    observed: the peer as the relay saw it.
    """

    peer_id: str
    observed: Endpoint | None
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class PairCount:
    """All circuits from src to dst since the relay's start, closed ones too; bytes in both directions."""

    src: str
    dst: str
    circuits: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """The parts of a status that a verdict needs; the lists of the other role are empty.

    listen: the TCP ports that it accepts connections on.
    local_forwards: where a local program reaches a remote peer, by the remote peer's id. backend: the address of the
    external backend. Both hold TCP addresses only.
    """

    peer_id: str
    listen: tuple[int, ...]
    sessions: tuple[SessionStatus, ...]
    relays: tuple[Observed, ...]
    reservations: tuple[Observed, ...]
    connections: tuple[Observed, ...]
    pairs: tuple[PairCount, ...] | None
    local_forwards: dict[str, Endpoint]
    backend: Endpoint | None


def read_status(record: Record) -> Status:
    """Read a status; DecodeError says which field is not as it should be."""
    return Status(
        peer_id=record.text("peer_id"),
        listen=_listen(record),
        sessions=record.list("sessions", _session) if record.present("sessions") else (),
        relays=record.list("relays", _observed) if record.present("relays") else (),
        reservations=record.list("reservations", _observed) if record.present("reservations") else (),
        connections=record.list("connections", _observed) if record.present("connections") else (),
        pairs=record.list("pairs", _pair) if record.present("pairs") else None,
        local_forwards=_local_forwards(record),
        backend=_backend(record),
    )


def _listen(record: Record) -> tuple[int, ...]:
    texts = record.list("listen", as_text) if record.present("listen") else ()
    addresses = (parse_endpoint(text) for text in texts)
    return tuple(dict.fromkeys(address.port for address in addresses if address is not None))


def _local_forwards(record: Record) -> dict[str, Endpoint]:
    remotes = record.list("remotes", as_record) if record.present("remotes") else ()
    listening = [(remote.text("peer_id"), remote.text("listen")) for remote in remotes if remote.present("listen")]
    addresses = {peer: parse_endpoint(listen) for peer, listen in listening}
    return {peer: address for peer, address in addresses.items() if address is not None}


def _backend(record: Record) -> Endpoint | None:
    backend = record.record("backend") if record.present("backend") else None
    return parse_endpoint(backend.text("address")) if backend is not None and backend.present("address") else None


def _session(where: str, value: object) -> SessionStatus:
    record = as_record(where, value)
    names = ("session", "conn", "peer_id", "direction", "path", "state")
    sent, received = (record.optional(name, record.integer) for name in ("bytes_sent", "bytes_received"))
    return SessionStatus(**{name: record.text(name) for name in names}, bytes_sent=sent, bytes_received=received)


def _observed(where: str, value: object) -> Observed:
    record = as_record(where, value)
    return Observed(
        peer_id=record.text("peer_id"),
        observed=parse_endpoint(record.text("observed")) if record.present("observed") else None,
        state=record.text("state") if record.present("state") else "reserved",
        reason=record.any_text("reason"),
    )


def _pair(where: str, value: object) -> PairCount:
    record = as_record(where, value)
    return PairCount(
        record.text("src"),
        record.text("dst"),
        record.integer("circuits"),
        record.integer("bytes_forward") + record.integer("bytes_backward"),
    )
