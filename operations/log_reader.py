"""A node's log on its host: its lines, and the lines that are added."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from operations.inventory import Node
from operations.link import Link
from operations.log_lines import Entry, from_file, from_journal
from operations.problems import OperationProblem

_READ_SECONDS = 60.0
_FIELDS = "MESSAGE,_SYSTEMD_UNIT,UNIT"
_TOO_MANY = 100_000

# First the size: lines that are added during the reading are left for following.
_TAIL = 'size=$(stat --format=%s "$1") || exit; echo "$size"; head --bytes="$size" "$1" | tail --lines="$2"'


@dataclass(frozen=True)
class Wanted:
    """Which lines. lines: the newest so many of each host, None for all. since: unix time, or None."""

    lines: int | None = None
    since: float | None = None
    milestones: bool = False

    def takes(self, entry: Entry) -> bool:
        """Whether the line is wanted, by its own content."""
        if self.milestones and entry.milestone is None:
            return False
        return self.since is None or entry.time >= self.since


@dataclass(frozen=True)
class Read:
    """Lines that were in the log, oldest first, and the place after them."""

    entries: tuple[Entry, ...]
    cursor: str = ""
    offset: int = 0


def read(link: Link, node: Node, wanted: Wanted) -> Read:
    """The lines that are there. Raises OperationProblem, HostProblem."""
    found = _read_file(link, node, wanted) if node.manager == "process" else _read_journal(link, node, wanted)
    entries = tuple(entry for entry in found.entries if wanted.takes(entry))
    return replace(found, entries=entries if wanted.lines is None else entries[-wanted.lines :])


def follow(
    link: Link, node: Node, after: Read, wanted: Wanted, on_entry: Callable[[Entry], None], *, timeout: float
) -> None:
    """Pass on the lines that are added, for `timeout` seconds. Raises HostProblem."""
    latest = 0.0

    def on_line(text: str) -> None:
        nonlocal latest
        systemd = node.manager == "systemd"
        entry = from_journal(text, node.name, node.service) if systemd else from_file(text, node.name, latest)
        if entry is not None:
            latest = entry.time
            if wanted.takes(entry):
                on_entry(entry)

    if node.manager == "process":
        argv = ["tail", "--follow=name", "--retry", f"--bytes=+{after.offset + 1}", str(node.paths.log)]
    else:
        place = [f"--after-cursor={after.cursor}"] if after.cursor else ["--lines=0"]
        argv = [*_journalctl(node, wanted), "--follow", "--no-tail", *place]
    link.stream(argv, on_line, timeout=timeout, stop=threading.Event())


def _journalctl(node: Node, wanted: Wanted) -> list[str]:
    # A native program writes no milestones.
    units = [node.service] if wanted.milestones else [node.service, *node.native]
    return [
        *("journalctl", "--quiet", "--all", "--output=json", f"--output-fields={_FIELDS}"),
        *(f"--unit={unit}.service" for unit in units),
    ]


def _read_journal(link: Link, node: Node, wanted: Wanted) -> Read:
    argv = [*_journalctl(node, wanted), f"--lines={_fetched(wanted)}"]
    if wanted.since is not None:
        argv.append(f"--since=@{int(wanted.since)}")
    ran = link.run(argv, timeout=_READ_SECONDS)
    if not ran.ok:
        raise OperationProblem(f"the journal can't be read: {ran.complaint}", node.name)
    lines = (from_journal(line, node.name, node.service) for line in ran.text.split("\n"))
    entries = tuple(entry for entry in lines if entry is not None)
    return Read(entries, cursor=entries[-1].cursor if entries else "")


def _read_file(link: Link, node: Node, wanted: Wanted) -> Read:
    ran = link.run(["sh", "-c", _TAIL, "sh", str(node.paths.log), str(_fetched(wanted))], timeout=_READ_SECONDS)
    if not ran.ok:
        raise OperationProblem(f"its log can't be read: {ran.complaint}; is it deployed?", node.name)
    size, _, text = ran.text.partition("\n")
    entries: list[Entry] = []
    for line in text.removesuffix("\n").split("\n") if text else ():
        entries.append(from_file(line, node.name, entries[-1].time if entries else 0.0))
    return Read(tuple(entries), offset=int(size))


def _fetched(wanted: Wanted) -> int:
    """How many lines to read from the host: more than wanted if some of them will not count."""
    if wanted.lines is None:
        return _TOO_MANY
    return max(20 * wanted.lines, 2000) if wanted.milestones else wanted.lines
