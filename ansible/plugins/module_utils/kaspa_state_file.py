"""The state file: what the controller knows of each host that other hosts need. Deploy and fab share it.

A JSON file with sorted keys, so that it can be committed: `{"hosts": {NAME: {"peer_id", "role", "seen"}}}`. A relay
also has `multiaddr`. `seen` is the UTC date on which a playbook last spoke to the host. There are no secrets in it.
Further fields of a host are kept; a file with further members was written by a later version, and is not used.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROLES = ("relay", "peer")
NAMES = {"role": "role", "peer_id": "peer id", "multiaddr": "address"}
"""The fields whose changes are shown, with their names for people."""

_FIELDS = (*NAMES, "seen")
_MERGE_MARKS = ("<<<<<<< ", ">>>>>>> ", "||||||| ")

Entry = dict[str, Any]
Entries = dict[str, Entry]


class StateError(Exception):
    """The file can't be used: what is wrong, and what to do. One line."""


def parse(text: str, path: str) -> Entries:
    """The hosts' entries by name. path: for messages. Raises StateError."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(_MERGE_MARKS):
            raise StateError(
                f"{path} has the marks of a merge that was not finished, in line {number}; keep either side, because "
                "the next deploy to all hosts corrects it"
            )
    try:
        found = json.loads(text)
        entries = {str(name): _entry(entry) for name, entry in found["hosts"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(
            f"{path} is damaged ({error}); repair it, or remove it and deploy to all hosts, which writes it anew"
        ) from error
    if further := sorted(found.keys() - {"hosts"}):
        raise StateError(
            f"{path} was written by a later version, because it has {', '.join(map(repr, further))}; use the checkout "
            "that wrote it"
        )
    return entries


def _entry(value: Mapping[str, Any]) -> Entry:
    if value.get("role") not in ROLES or not value.get("peer_id"):
        raise ValueError(f"an entry without role or peer id: {dict(value)}")
    for name in _FIELDS:
        if not isinstance(value.get(name, ""), str):
            raise TypeError(f"{name} is not a text: {dict(value)}")
    return dict(value)


def render(entries: Entries) -> str:
    """The file's text; the same entries always give the same text."""
    return json.dumps({"hosts": entries}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def updated(entries: Entries, found: Mapping[str, Mapping[str, str]], today: str) -> Entries:
    """The entries after a run: what a host says of itself replaces what was known of it.

    found: by host, what was found out there: role, peer_id, and of a relay multiaddr. today: the UTC date.
    """

    def kept(name: str) -> Entry:
        return {key: value for key, value in entries.get(name, {}).items() if key not in _FIELDS}

    return entries | {name: {**kept(name), **fields, "seen": today} for name, fields in found.items()}


def without(entries: Entries, names: list[str]) -> Entries:
    """The entries without those of hosts that were removed."""
    return {name: entry for name, entry in entries.items() if name not in names}


def changes(before: Entries, after: Entries) -> list[str]:
    """One line for each entry that is new, different or gone; the date alone is no change."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if new is None:
            lines.append(f"{name}: forgotten")
        elif old is None:
            lines.append(f"{name}: new, {', '.join(f'{NAMES[key]} {new[key]}' for key in NAMES if key in new)}")
        else:
            changed = [key for key in NAMES if old.get(key) != new.get(key)]
            if changed:
                told = (f"{NAMES[key]} {old.get(key, 'none')} is now {new.get(key, 'none')}" for key in changed)
                lines.append(f"{name}: {', '.join(told)}")
    return lines


def read(path: str) -> Entries:
    """The entries of a file; none if there is no file. Raises StateError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path} can't be read: {str(getattr(error, 'strerror', error)).lower()}") from error
    return parse(text, path)


def path_for(chosen: object, inventory_file: object) -> str:
    """The state file of a host, by its variables: kaspa_fleet_state_file, or the default if that is not set.

    The default for an inventory's file `NAME` is `.kaspa/NAME.json` beside it; "" if that is no file.
    """
    source = Path(str(inventory_file or ""))
    return str(chosen or (source.parent / ".kaspa" / f"{source.name}.json" if source.is_file() else ""))


def check(path: str) -> Entries:
    """The entries of a file that can also be replaced. Changes nothing. Raises StateError."""
    entries = read(path)
    place = Path(os.path.realpath(path)).parent
    while not place.exists():
        place = place.parent
    try:
        # To ask the system whether it could be written says nothing of a directory that nobody may change.
        descriptor, partial = tempfile.mkstemp(dir=place, prefix=f".{Path(path).name}.")
        os.close(descriptor)
        os.unlink(partial)
    except OSError as error:
        raise StateError(f"{path} can't be written: {(error.strerror or str(error)).lower()}") from error
    return entries


def change(path: str, how: Callable[[Entries], Entries]) -> tuple[Entries, Entries]:
    """Replace a file's entries by what `how` makes of them: the entries before and after. Raises StateError.

    Runs at the same time wait for each other. Readers see the old file or the new one. No entries means no file.
    """
    file = Path(os.path.realpath(path))
    try:
        # Before the directory is made: if nothing is to be written, nothing is left behind.
        if not how(read(str(file))) and not file.exists():
            return {}, {}
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file.parent):
            before = read(str(file))
            after = how(before)
            if not after:
                file.unlink(missing_ok=True)
            elif after != before:
                _replace(file, render(after))
        if not after:
            with contextlib.suppress(OSError):  # it holds other inventories' files
                file.parent.rmdir()
    except OSError as error:
        raise StateError(
            f"{path} can't be written: {(error.strerror or str(error)).lower()}; deploy works without it, but a later "
            "run on some of the hosts will not know the others; make the directory writable"
        ) from error
    return before, after


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask()
    descriptor, partial = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, file)
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise


def _umask() -> int:
    present = os.umask(0o077)
    os.umask(present)
    return present
