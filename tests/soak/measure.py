"""What the programs hold: descriptors, tasks, memory, connections, circuits, sessions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaspa_node.constants import PEER_PORT
from tests.soak.plan import RELAYS, REMOTES
from tests.soak.world import ADDRESSES, World

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
ESTABLISHED, CLOSE_WAIT = "01", "08"

# A request for the status takes a task and a descriptor; so does each handshake that is under way.
FEW = 3
TASKS_OF_CONNECTION = 4
# What a Python program keeps of what it has used once: grown dictionaries, arenas of the allocator that are in use in
# part, gRPC's buffers. Measured: 2 MiB after 15 minutes and 180 events. What is lost at each event would be more.
MEMORY_KIB = 8 * 1024

PAIRS = sorted({tuple(sorted((peer, remote))) for peer, remotes in REMOTES.items() for remote in remotes})
"""The peers that are to have a session with each other."""


@dataclass(frozen=True)
class Use:
    """Of one process. memory: anonymous resident memory in KiB. connections: those of TCP, by the remote's address."""

    pid: int
    descriptors: int
    tasks: int
    threads: int
    memory: int
    connections: dict[str, int]


@dataclass(frozen=True)
class Snapshot:
    """Of all programs. circuits: by relay. paths: by pair of peers. wrong: what must not be at any quiet time.

    spares: how many direct connections each peer has from another port than the one on which it listens. Each has a
    connection of its own to a relay, which keeps the router's mapping (p2p/punch/spare_port.py).
    """

    uses: dict[str, Use]
    circuits: dict[str, int]
    paths: dict[tuple[str, ...], str]
    spares: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def relayed(self) -> list[tuple[str, ...]]:
        """The pairs whose session is not direct."""
        return [pair for pair, path in self.paths.items() if path != "direct"]

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{name}: {use.descriptors} descriptors, {use.tasks} tasks, {use.threads} threads, "
            f"{use.memory / 1024:.1f} MiB, connections {dict(sorted(use.connections.items()))}"
            for name, use in self.uses.items()
        ]


def take(world: World) -> Snapshot:
    """How things are. Raises RequestFailed, ControlError."""
    statuses = {name: world.status(name) for name in world.running}
    uses = {name: _use(world.running[name], status) for name, status in statuses.items()}
    circuits = {name: len(statuses[name]["circuits"]) for name in RELAYS if name in statuses}
    paths: dict[tuple[str, ...], str] = {}
    wrong: list[str] = []
    for one, other in PAIRS:
        theirs = {peer: _sessions(statuses[peer], world.ids[remote]) for peer, remote in ((one, other), (other, one))}
        found, same = theirs[one], theirs[other]
        if len(found) == len(same) == 1 and found.keys() == same.keys():
            paths[one, other] = next(iter(found.values()))
        else:
            wrong.append(f"the sessions of {one} with {other}: {found} and {same}")
    spares = {peer: _spares(statuses[peer]) for peer in world.peers}
    for peer, key in world.peers.items():
        seen = {name: _count(statuses.get(name, {}), "connections", key) for name in RELAYS}
        if min(seen.values()) < 1 or sum(seen.values()) != len(RELAYS) + spares[peer]:
            wrong.append(f"the relays have the connections {seen} of {peer}, which has {spares[peer]} spare ports")
        reserved = {name: _count(statuses.get(name, {}), "reservations", key) for name in RELAYS}
        if set(reserved.values()) != {1}:
            wrong.append(f"the relays have the reservations {reserved} of {peer}")
    return Snapshot(uses, circuits, paths, spares, wrong)


def _count(status: dict[str, Any], what: str, peer: str) -> int:
    return sum(1 for row in status.get(what, ()) if row["peer_id"] == peer)


def _spares(status: dict[str, Any]) -> int:
    """The ports of direct connections other than the one on which the peer listens."""
    # A session whose stream has just ended has no address any more.
    ends = {row["local"] for row in status["sessions"] if row["path"] == "direct" and row["local"] is not None}
    return sum(1 for end in ends if not end.endswith(f":{PEER_PORT}"))


def _sessions(status: dict[str, Any], remote: str) -> dict[str, str]:
    """The sessions with a remote: id → path, or the state of one that is not ready."""
    rows = [row for row in status["sessions"] if row["peer_id"] == remote]
    return {row["session"]: row["path"] if row["state"] == "ready" else row["state"] for row in rows}


def _use(pid: int, status: dict[str, Any]) -> Use:
    fields = dict(line.split(":", 1) for line in (PROC / str(pid) / "status").read_text().splitlines())
    sockets = set(_descriptors(pid))
    return Use(
        pid=pid,
        descriptors=len(os.listdir(PROC / str(pid) / "fd")),
        tasks=status["counters"]["tasks"],
        threads=int(fields["Threads"]),
        memory=int(fields["RssAnon"].split()[0]),
        connections=dict(Counter(_remotes(pid, sockets))),
    )


def _descriptors(pid: int) -> Iterable[str]:
    directory = PROC / str(pid) / "fd"
    for name in os.listdir(directory):
        try:
            yield os.readlink(directory / name)
        except FileNotFoundError:
            continue  # closed meanwhile


def _remotes(pid: int, sockets: set[str]) -> Iterable[str]:
    """The remote addresses of the process's TCP connections (proc_net_tcp.txt)."""
    for row in (PROC / str(pid) / "net/tcp").read_text().splitlines()[1:]:
        words = row.split()
        remote, state, inode = words[2], words[3], words[9]
        if state in (ESTABLISHED, CLOSE_WAIT) and f"socket:[{inode}]" in sockets:
            yield ".".join(str(byte) for byte in reversed(bytes.fromhex(remote.partition(":")[0])))


def cpu_seconds(pid: int) -> float:
    """What a process has used of processors so far (proc_pid_stat(5): utime and stime)."""
    words = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """What has not returned to where it was, memory apart."""
    found = list(after.wrong)
    found += [
        f"{relay} has {count} circuits, before {before.circuits[relay]}"
        for relay, count in after.circuits.items()
        if count > before.circuits[relay]
    ]
    found += [
        f"the session of {' and '.join(pair)} is {path}, before {before.paths[pair]}"
        for pair, path in after.paths.items()
        if path != before.paths[pair]
    ]
    for name, was in before.uses.items():
        use = after.uses.get(name)
        if use is None:
            found.append(f"{name} does not run")
            continue
        more = _spares_of(name, after) - _spares_of(name, before)
        found += _connections(name, was, use, more)
        for what, each in (("descriptors", 1), ("tasks", TASKS_OF_CONNECTION)):
            if getattr(use, what) > getattr(was, what) + FEW + max(0, more) * each:
                found.append(f"{name} has {getattr(use, what)} {what}, before {getattr(was, what)}")
    return found


def _spares_of(name: str, snapshot: Snapshot) -> int:
    """How many connections for spare ports the program may have."""
    return sum(snapshot.spares.values()) if name in RELAYS else snapshot.spares.get(name, 0)


def _connections(name: str, was: Use, use: Use, more: int) -> list[str]:
    """more: connections between peers and relays than before, for spare ports."""
    if name in RELAYS:
        grown_by = sum(use.connections.values()) - sum(was.connections.values())
        if not min(0, more) <= grown_by <= max(0, more):
            return [f"{name} has the connections {use.connections}, before {was.connections}"]
        return []
    relays = {ADDRESSES[relay] for relay in RELAYS}
    others = [{key: n for key, n in each.connections.items() if key not in relays} for each in (was, use)]
    to_relays = [sum(n for key, n in each.connections.items() if key in relays) for each in (was, use)]
    if others[0] != others[1] or to_relays[1] != to_relays[0] + more:
        return [f"{name} has the connections {use.connections}, before {was.connections}"]
    return []


def grown(before: Snapshot, after: Snapshot) -> list[str]:
    """The programs whose memory has grown beyond what is explained at MEMORY_KIB."""
    return [
        f"{name} has {use.memory / 1024:.1f} MiB, before {before.uses[name].memory / 1024:.1f}"
        for name, use in after.uses.items()
        if use.memory > before.uses[name].memory + MEMORY_KIB
    ]
