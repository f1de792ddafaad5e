"""Answers of the node as text for people.

A node's report contains texts of its remote peers (user agents, reasons). So every text is checked before it reaches a
terminal. A missing field is shown as a dash, because the node may have another version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kaspa_node.errors import one_line

NONE = "-"
_ID_HEAD, _ID_TAIL = 8, 8
_GREATEST = 2**63
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

Row = Mapping[str, Any]


def status(reply: Row, now: float) -> str:
    """The answer to `status` of a relay or a peer; now: unix time."""
    parts = [_head(reply, now)]
    parts += _relay(reply, now) if reply.get("role") == "relay" else _peer(reply, now)
    counters = reply.get("counters")
    if isinstance(counters, Mapping) and counters:
        parts.append("counters: " + ", ".join(f"{cell(key)} {cell(value)}" for key, value in counters.items()))
    return "\n\n".join(parts)


def reload(reply: Row) -> str:
    """The answer to `reload`."""
    if restart := _words(reply.get("restart")):
        return f"Nothing was applied: only a restart changes {restart}"
    if applied := _words(reply.get("applied")):
        return f"Applied: {applied}"
    return "Nothing has changed"


def session(reply: Row) -> str:
    """The answer to `session`."""
    punch = _mapping(reply.get("punch"))
    outcome = "succeeded" if punch.get("succeeded") else "failed"
    reason = f": {cell(punch['reason'])}" if punch.get("reason") else ""
    timings = _mapping(reply.get("timings"))
    lines = [f"Ready over the {cell(reply.get('path'))} path with {cell(reply.get('peer_id'))}"]
    if reply.get("session"):
        lines.append(f"session  {cell(reply['session'])}")
    else:
        lines.append(f"conn     {cell(reply.get('conn'))}, for the sessions of the external backend")
    if punch.get("attempts"):
        lines.append(f"punch    {outcome}, attempt {cell(punch.get('attempts'))}{reason}")
    shown = [
        f"{key.replace('_', ' ')} {seconds:.3f} s"
        for key, value in timings.items()
        if (seconds := _number(value)) is not None
    ]
    if shown:
        lines.append("timings  " + one_line(", ".join(shown)))
    return "\n".join(lines)


def exercise(reply: Row) -> str:
    """The answer to `exercise`."""
    return (
        f"{cell(reply.get('pings'))} pings each way answered over session {cell(reply.get('session'))} "
        f"in {cell(reply.get('seconds'))} s; {size(reply.get('bytes_sent'))} sent, "
        f"{size(reply.get('bytes_received'))} received"
    )


def _head(reply: Row, now: float) -> str:
    facts = [cell(reply[key]) for key in ("network",) if reply.get(key)]
    facts += [
        f"version {cell(reply.get('version'))}",
        f"pid {cell(reply.get('pid'))}",
        f"up {age(reply.get('since'), now)}",
    ]
    lines = [f"{cell(reply.get('role'))} {cell(reply.get('peer_id'))}", ", ".join(facts)]
    listen = reply.get("listen")
    if isinstance(listen, list):
        lines.append("listening on " + (", ".join(map(cell, listen)) or "nothing"))
    backend = reply.get("backend")
    if isinstance(backend, Mapping):
        lines.append(_backend(backend, now))
    return "\n".join(lines)


def _backend(backend: Row, now: float) -> str:
    if not backend.get("address"):
        return "external backend for outgoing connections only: no address for streams that others open"
    known = f"external backend {cell(backend['address'])}"
    if backend.get("checked") is None:
        return f"{known} not called yet"
    reason = f": {cell(backend['reason'])}; the next stream tries again" if backend.get("reason") else ""
    return f"{known} {cell(backend.get('state'))} (called {age(backend['checked'], now)} ago){reason}"


def _limit(limit: object) -> str:
    """What the relay lets through the circuit under a session, as `120 s, 128 KiB`."""
    if not isinstance(limit, dict):
        return NONE
    seconds, amount = limit.get("seconds"), limit.get("bytes")
    return ", ".join(([f"{cell(seconds)} s"] if seconds else []) + ([size(amount)] if amount else [])) or NONE


def _peer(reply: Row, now: float) -> list[str]:
    names = {cell(row.get("peer_id")): cell(row.get("name")) for row in _rows(reply, "remotes")}
    relays = (
        (short(r.get("peer_id")), cell(r.get("state")), left(r.get("expires"), now), cell(r.get("observed")))
        + (cell(r.get("reason")),)
        for r in _rows(reply, "relays")
    )
    remotes = (
        (cell(r.get("name")), short(r.get("peer_id")), cell(r.get("state")), cell(r.get("listen")))
        + (_limit(r.get("limit")), cell(r.get("reason")))
        for r in _rows(reply, "remotes")
    )
    sessions = (
        (cell(s.get("session")), _named(s.get("peer_id"), names), cell(s.get("direction")), cell(s.get("path")))
        + (cell(s.get("state")), cell(s.get("local")), cell(s.get("remote")))
        + (size(s.get("bytes_sent")), size(s.get("bytes_received")), age(s.get("since"), now))
        for s in _rows(reply, "sessions")
    )
    return [
        table("relays", ("peer id", "state", "expires in", "observed", "reason"), relays),
        table("remotes", ("name", "peer id", "state", "for programs at", "circuit limit", "reason"), remotes),
        table(
            "sessions",
            ("session", "peer", "direction", "path", "state", "local", "remote", "sent", "received", "age"),
            sessions,
        ),
    ]


def _relay(reply: Row, now: float) -> list[str]:
    reservations = (
        (short(r.get("peer_id")), cell(r.get("observed")), left(r.get("expires"), now))
        for r in _rows(reply, "reservations")
    )
    circuits = (
        (cell(c.get("circuit")), short(c.get("src")), short(c.get("dst")))
        + (size(c.get("bytes_forward")), size(c.get("bytes_backward")), age(c.get("since"), now))
        for c in _rows(reply, "circuits")
    )
    pairs = (
        (short(p.get("src")), short(p.get("dst")), cell(p.get("circuits")))
        + (size(p.get("bytes_forward")), size(p.get("bytes_backward")))
        for p in _rows(reply, "pairs")
    )
    return [
        table("reservations", ("peer id", "observed", "expires in"), reservations),
        table("circuits", ("circuit", "from", "to", "forward", "backward", "age"), circuits),
        table("pairs since start", ("from", "to", "circuits", "forward", "backward"), pairs),
    ]


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A title and aligned columns; empty columns are left out."""
    body = list(rows)
    if not body:
        return f"{title}: none"
    keep = [i for i in range(len(head)) if any(row[i] != NONE for row in body)]
    lines = [[head[i] for i in keep], *([row[i] for i in keep] for row in body)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(keep))]
    text = ["  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([f"{title}:", *(f"  {line}" for line in text)])


def cell(value: object) -> str:
    """One value, safe for a terminal."""
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(str(value)) or NONE


def short(peer_id: object) -> str:
    """The two ends of a peer id, enough to distinguish a few peers; --json has the whole id."""
    text = cell(peer_id)
    return text if len(text) <= _ID_HEAD + _ID_TAIL + 1 else f"{text[:_ID_HEAD]}…{text[-_ID_TAIL:]}"


def _named(peer_id: object, names: Mapping[str, str]) -> str:
    name = names.get(cell(peer_id), NONE)
    return short(peer_id) if name in (NONE, peer_id) else name


def size(count: object) -> str:
    """A number of bytes."""
    value = _number(count)
    if value is None:
        return NONE
    unit = 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def age(since: object, now: float) -> str:
    """How long ago that unix time was."""
    then = _number(since)
    return NONE if then is None else duration(now - then)


def left(until: object, now: float) -> str:
    """How far ahead that unix time is."""
    then = _number(until)
    return NONE if then is None else duration(then - now)


def _number(value: object) -> float | None:
    """A number that can be shown as a time or a size; JSON allows much greater numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _GREATEST:
        return None
    return float(value)


def duration(seconds: float) -> str:
    """Seconds in the two largest units; never negative, even if a clock was changed."""
    whole = max(0, int(seconds))
    for step, unit, smaller, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= step:
            return f"{whole // step} {unit} {whole % step // smaller} {part}"
    return f"{whole} s"


def _rows(reply: Row, key: str) -> list[Row]:
    value = reply.get(key)
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _words(value: object) -> str:
    """A list of texts as one."""
    return ", ".join(cell(word) for word in value) if isinstance(value, list) else ""


def _mapping(value: object) -> Row:
    return value if isinstance(value, Mapping) else {}
