"""The kinds of values a setting can have: how each is read from a variable's text, checked, and described."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kaspa_node.settings import addresses, local
from kaspa_node.settings.addresses import BadValue
from kaspa_node.settings.values import AllowList, LocalAddress, RelayAddress, Remote, TcpAddress

T = TypeVar("T")

ANY = "any"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a setting's values look.

    expected: what a good value is, as a clause for error lines and the docs' table.
    check: a TOML value to a setting's value; raises BadValue.
    from_text: a variable's text to a TOML value; `check` refuses what can't be converted.
    """

    expected: str
    check: Callable[[object], Any]
    from_text: Callable[[str], object]


def split_list(text: str) -> list[str]:
    """The entries of a list in a variable: separated by comma or semicolon, without the blanks around them."""
    return [entry.strip() for entry in re.split(r"[,;]", text) if entry.strip()]


def integer(low: int, high: int, unit: str = "", zero: str = "") -> Kind:
    """A whole number from low to high; zero: what 0 means, if it is special."""
    expected = f"a whole number{f' of {unit}' if unit else ''} from {low} to {high}{f' (0: {zero})' if zero else ''}"

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadValue(value, "is not a whole number", expected)
        if not low <= value <= high:
            raise BadValue(value, "is out of range", expected)
        return value

    def from_text(text: str) -> object:
        # Longer numbers are out of every range, and int() refuses thousands of digits with its own error.
        return int(text) if re.fullmatch(r"-?[0-9]{1,30}", text) else text

    return Kind(expected, check, from_text)


def boolean() -> Kind:
    """true or false; in a variable also yes/no, on/off, 1/0."""

    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise BadValue(value, "is neither true nor false", "true or false")
        return value

    def from_text(text: str) -> object:
        word = text.lower()
        return True if word in _TRUE else False if word in _FALSE else text

    return Kind("true or false", check, from_text)


def choice(*names: str) -> Kind:
    """One of the names, exactly."""
    expected = "one of " + ", ".join(names)

    def check(value: object) -> str:
        if value not in names:
            raise BadValue(value, "is not known", expected)
        return str(value)

    return Kind(expected, check, str)


def text(most: int) -> Kind:
    """Printable text of 1 to `most` bytes in UTF-8."""
    expected = f"printable text of 1 to {most} bytes"

    def check(value: object) -> str:
        if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value.encode()) <= most:
            raise BadValue(value, "can't be used", expected)
        return value

    return Kind(expected, check, str)


def name(what: str) -> Kind:
    """The name of a group or the like; empty for none."""
    expected = f"the name of {what}, or nothing"

    def check(value: object) -> str:
        if not isinstance(value, str) or (value and not _NAME.fullmatch(value)):
            raise BadValue(value, "is no such name", expected)
        return value

    return Kind(expected, check, str)


def absolute_path() -> Kind:
    """The absolute path of a directory."""
    expected = "an absolute path"
    return Kind(expected, lambda value: _path(value, expected), str)


def socket_path() -> Kind:
    """The absolute path of a unix socket."""
    expected = f"an absolute path of at most {local.SOCKET_PATH_BYTES} bytes"

    def check(value: object) -> Path:
        path = _path(value, expected)
        if len(str(path).encode()) > local.SOCKET_PATH_BYTES:
            raise BadValue(value, "is too long for a unix socket", expected)
        return path

    return Kind(expected, check, str)


def _path(value: object, expected: str) -> Path:
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
        raise BadValue(value, "is not an absolute path", expected)
    return Path(value)


def listen_addresses() -> Kind:
    """At least one address to bind."""

    def check(value: object) -> tuple[TcpAddress, ...]:
        entries = _each(value, addresses.parse_listen, addresses.EXPECT_LISTEN)
        if not entries:
            raise BadValue(value, "is empty", f"at least one {addresses.EXPECT_LISTEN}")
        return entries

    return Kind(f"list of {addresses.EXPECT_LISTEN}", check, split_list)


def external_addresses() -> Kind:
    """Any number of addresses at which others reach this node."""
    expected = addresses.EXPECT_EXTERNAL
    return Kind(f"list of {expected}", lambda value: _each(value, addresses.parse_external, expected), split_list)


def relay_addresses() -> Kind:
    """Relays, each once: there is one reservation for each relay, so a second address would conflict with the first."""
    expected = addresses.EXPECT_CIRCUIT
    return Kind(f"list of {expected}", _relays, split_list)


def _relays(value: object) -> tuple[RelayAddress, ...]:
    relays = _each(value, addresses.parse_relay, addresses.EXPECT_CIRCUIT)
    by_id: dict[str, RelayAddress] = {}
    by_socket: dict[tuple[str, int], RelayAddress] = {}
    for relay in relays:
        if relay.peer_id in by_id:
            raise BadValue(relay.addr, "is a second address of one relay", "each relay once")
        if (relay.host, relay.port) in by_socket:
            raise BadValue(relay.addr, "is the address of another relay, too", "one peer id for an address")
        by_id[relay.peer_id] = by_socket[relay.host, relay.port] = relay
    return relays


def allow_list() -> Kind:
    """Peer ids, or `any` alone."""
    expected = f'list of peer ids, or ["{ANY}"]'

    def check(value: object) -> AllowList:
        entries = _strings(value, expected)
        if ANY in entries:
            if len(entries) > 1:
                raise BadValue(entries, f"mixes {ANY} with peer ids", expected)
            return AllowList(any=True)
        return AllowList(peer_ids=frozenset(_each(entries, addresses.parse_peer_id, addresses.EXPECT_PEER_ID)))

    return Kind(expected, check, split_list)


def local_address() -> Kind:
    """Where another program of this machine listens; empty for none."""
    expected = f"{local.EXPECT_LOCAL}, or nothing"

    def check(value: object) -> LocalAddress | None:
        if not isinstance(value, str):
            raise BadValue(value, "is not text", expected)
        return local.parse_local(value) if value else None

    return Kind(expected, check, str)


def remotes() -> Kind:
    """Peers to dial: tables with peer_id and optional keys; in a variable `ID`, `name=ID` or `name=ID@LISTEN`."""
    expected = "list of tables with peer_id, and name, addrs and listen if wanted"

    def check(value: object) -> tuple[Remote, ...]:
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise BadValue(value, "is not a list of tables", expected)
        found = tuple(_remote(entry) for entry in value)
        columns: list[tuple[str, list[object]]] = [
            ("name", [r.name for r in found]),
            ("peer id", [r.peer_id for r in found]),
            ("listen address", [str(r.listen) for r in found if r.listen is not None]),
        ]
        for what, values in columns:
            twice = [value for value in values if values.count(value) > 1]
            if twice:
                raise BadValue(twice[0], f"is the {what} of two remotes", f"each {what} once")
        return found

    def from_text(text: str) -> object:
        return [_remote_from_text(entry) for entry in split_list(text)]

    return Kind(expected, check, from_text)


def _remote_from_text(text: str) -> dict[str, object]:
    who, at, listen = text.partition("@")
    label, mark, peer_id = who.rpartition("=")
    entry: dict[str, object] = {"peer_id": peer_id.strip()}
    if mark:
        entry["name"] = label.strip()
    if at:
        entry["listen"] = listen.strip()
    return entry


def _remote(entry: dict[str, object]) -> Remote:
    for key in entry.keys() - {"name", "peer_id", "addrs", "listen"}:
        raise BadValue(key, "is not a key of a remote", "name, peer_id, addrs, listen")
    peer_id = entry.get("peer_id")
    if not isinstance(peer_id, str):
        raise BadValue(entry, "has no peer_id", addresses.EXPECT_PEER_ID)
    addresses.parse_peer_id(peer_id)
    label = entry.get("name", peer_id)
    if not isinstance(label, str) or not _NAME.fullmatch(label):
        raise BadValue(label, "is no name", "1 to 63 letters, digits, dots, dashes or underscores")
    listen = entry.get("listen")
    if not isinstance(listen, str | None):
        raise BadValue(listen, "is not text", local.EXPECT_LOOPBACK)
    at = None if listen is None else local.parse_loopback(listen)
    return Remote(label, peer_id, via_relays(peer_id, entry.get("addrs", [])), at)


def via_relays(peer_id: str, value: object) -> tuple[RelayAddress, ...]:
    """The relays that a remote's addresses go through; raises BadValue if one leads to another peer."""
    found = []
    for relay, target in _each(value, addresses.parse_circuit, addresses.EXPECT_CIRCUIT):
        if target not in (None, peer_id):
            raise BadValue(target, f"is at the end of an address of {peer_id}", "the same peer id in both places")
        if relay.peer_id == peer_id:
            raise BadValue(relay.addr, "is an address of the remote itself", "the address of a relay to dial through")
        found.append(relay)
    return tuple(found)


def _strings(value: object, expected: str) -> list[str]:
    if not isinstance(value, list):
        raise BadValue(value, "is not a list", expected if expected.startswith("list of ") else f"list of {expected}")
    for entry in value:
        if not isinstance(entry, str):
            raise BadValue(entry, "is not text", expected)
    return value


def _each(value: object, parse: Callable[[str], T], expected: str) -> tuple[T, ...]:
    """Each entry of a list parsed; an entry that is there twice is an error."""
    entries = _strings(value, expected)
    found = tuple(parse(entry) for entry in entries)
    for place, entry in enumerate(entries):
        if found[place] in found[:place]:
            raise BadValue(entry, "is in the list twice", "each entry once")
    return found
