"""Whole lies: what somebody could put together who can write to the logs of both peers, or owns one of the hosts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from kaspa_node import milestones as m
from kaspa_node.milestones import Milestone
from tests.evidence.corpus import DIRECT, EARLIER, recorded
from tests.evidence.doctors import CLIENT_AT, RELAY_AT, SERVER_AT, THIRD, add, circuit, direct
from tests.unit.evidence.builder import CLIENT, LOCAL, SERVER, Evidence, socket

PEERS = ("client", "server")
MEGABYTES = "x" * (10 * 1024 * 1024)
_STAMP = re.compile(r"^(\S+ \S+)([+-]\d\d:\d\d) ")


def claims(evidence: Evidence, path: str = "direct") -> None:
    """Both journals say that path."""
    for host in PEERS:
        evidence.journals[host] = [re.sub(r" path=\w+", f" path={path}", line) for line in evidence.journals[host]]


def all_claims(evidence: Evidence) -> None:
    """All that the two programs say, says direct."""
    claims(evidence)
    evidence.run["session"]["path"] = "direct"
    for host in PEERS:
        for snapshot in evidence.both(host):
            for session in snapshot["status"]["sessions"]:
                session["path"] = "direct"


def punch_lines(evidence: Evidence) -> None:
    """And both journals have the punch and the connection, as a real one's, with the addresses that a real one has."""
    all_claims(evidence)
    conn, real = circuit(evidence), recorded(DIRECT)
    for host in PEERS:
        lines = evidence.journals[host]
        start = next(i for i, line in enumerate(lines) if re.search(r" milestone=circuit\.(out|in)bound ", line))
        stamp = lines[start].partition(" [")[0]
        for kind in (m.CONNECTION_DIRECT, m.PUNCH_SUCCEEDED):
            line = next(line for line in real.journals[host] if f" milestone={kind.name} " in line)
            line = line.replace(real.run["session"]["conn"], conn).replace(circuit(real), conn)
            start += 1
            lines.insert(start, f"{stamp} [{line.partition(' [')[2]}")
    for host in PEERS:
        evidence.journals[host] = [line for line in evidence.journals[host] if " milestone=punch.failed " not in line]
    evidence.run["session"]["punch"] |= {"attempts": 1, "succeeded": True, "reason": None}


def root_on(*hosts: str) -> Callable[[Evidence], None]:
    """And these hosts' kernels are made to show the socket, with all bytes on it and none to the relay."""

    def forge(evidence: Evidence) -> None:
        punch_lines(evidence)
        for host in hosts:
            there = SERVER_AT if host == "client" else CLIENT_AT
            for label, count in (("before", 5_000), ("after", 15_000)):
                snapshot = evidence.snapshots[host, label]
                entry = socket(LOCAL[host], there, count, count, "forged", host)
                entry |= {"pids": [snapshot["service"]["pid"]]}
                snapshot["sockets"].append(entry)
            link = evidence.socket(host, "before", RELAY_AT)
            evidence.socket(host, "after", RELAY_AT).update(link)

    forge.__name__ = "root_on_" + "_and_".join(hosts)
    return forge


def journals_of_the_run_before(evidence: Evidence) -> None:
    evidence.journals = recorded(EARLIER).journals


def journals_of_the_run_before_renamed(evidence: Evidence) -> None:
    earlier = recorded(EARLIER)
    old, new = earlier.run["run_id"], evidence.run["run_id"]
    evidence.journals = {host: [x.replace(old, new) for x in lines] for host, lines in earlier.journals.items()}


def everything_of_the_run_before(evidence: Evidence) -> None:
    """Only what run.json says of itself is of this run."""
    earlier, kept = recorded(EARLIER), {name: evidence.run[name] for name in ("run_id", "started", "ended")}
    evidence.run = {**earlier.run, **kept}
    evidence.run["session"] |= {"run": kept["run_id"]}
    journals_of_the_run_before_renamed(evidence)
    evidence.snapshots = earlier.snapshots


def direct_to_a_third(evidence: Evidence) -> None:
    """The client's direct session is with somebody else, and its sockets and journal are genuine."""
    real = recorded(DIRECT)
    lines = [line.replace(SERVER, THIRD) for line in real.journals["client"]]
    evidence.journals["client"] += [line.replace(real.run["run_id"], evidence.run["run_id"]) for line in lines]
    for label in ("before", "after"):
        evidence.snapshots["client", label]["sockets"].append(direct(real, "client", label))


def reply_of_a_third(evidence: Evidence) -> None:
    """And the client presents it as the pair's."""
    direct_to_a_third(evidence)
    evidence.run["session"] = {**recorded(DIRECT).run["session"], "run": evidence.run["run_id"]}
    evidence.run["exercise"] = recorded(DIRECT).run["exercise"]


def longer_peer_id(evidence: Evidence) -> None:
    """The server's whole id is the beginning of the one that the client's session is with."""
    evidence.run["session"]["peer_id"] = f"{SERVER}7"


def server_is_a_prefix_of_the_client(evidence: Evidence) -> None:
    """One id is the beginning of the other everywhere: they are still two."""
    for host in PEERS:
        evidence.journals[host] = [line.replace(CLIENT, f"{SERVER}7") for line in evidence.journals[host]]
    evidence.run["hosts"]["client"]["peer_id"] = f"{SERVER}7"
    for snapshot in evidence.snapshots.values():
        status = snapshot["status"]
        for place in [status, *(x for name in _LISTS for x in status.get(name, []))]:
            for name in ("peer_id", "src", "dst"):
                if place.get(name) == CLIENT:
                    place[name] = f"{SERVER}7"


_LISTS = ("sessions", "relays", "remotes", "reservations", "circuits", "pairs")


def unit_of_another_name(evidence: Evidence) -> None:
    """The socket belongs to a unit whose name begins with ours, and to a process whose id begins with ours."""
    for label in ("before", "after"):
        entry = direct(evidence, "client", label)
        pid = evidence.snapshots["client", label]["service"]["pid"]
        entry.update({"cgroup": "/system.slice/kaspa-peer-two.service", "pids": [pid * 10]})


def with_the_run_before(evidence: Evidence) -> None:
    """Journals from further back: the lines of two runs of the pair, by time."""
    before = recorded(EARLIER)
    evidence.journals = {host: before.journals[host] + evidence.journals[host] for host in evidence.journals}


def interleaved_with_strangers(evidence: Evidence) -> None:
    """A session of the same two, on other connections and in another run, at the same time."""
    other = recorded(EARLIER)
    strangers = {other.run["session"]["conn"]: "0" * 16, circuit(other): "1" * 16, other.run["run_id"]: "other"}
    for host in PEERS:
        lines, mixed = other.journals[host], []
        for old, new in strangers.items():
            lines = [line.replace(old, new) for line in lines]
        for index, line in enumerate(evidence.journals[host]):
            mixed += [line, *lines[index : index + 1]]
        evidence.journals[host] = mixed


def reversed_lines(evidence: Evidence) -> None:
    evidence.journals["server"].reverse()


def split(evidence: Evidence) -> None:
    """A line is broken in two, as journald does with long ones."""
    evidence.edit("server", m.READY_RECEIVED, lambda line: line[:90] + "\n" + line[90:])


def escape_in(kind: Milestone) -> Callable[[Evidence], None]:
    def change(evidence: Evidence) -> None:
        evidence.edit("server", kind, lambda line: line.replace(" milestone", "\x1b[2K milestone"))

    change.__name__ = f"escape_in_{kind.name}"
    return change


def ten_megabytes_in_a_line(evidence: Evidence) -> None:
    evidence.edit("client", m.PEER_CONNECTED, lambda line: line.replace(" milestone", MEGABYTES + " milestone"))


def rubbish_between(evidence: Evidence) -> None:
    """Ten megabytes, control characters and half lines beside what is needed."""
    for host in PEERS:
        lines = evidence.journals[host]
        evidence.journals[host] = [MEGABYTES, "\x1b[2J\x07", *[x for line in lines for x in (line[:70], line)], "\x00"]


def in_zone(line: str, hours: float) -> str:
    """The same moment on a clock of another zone."""
    match = _STAMP.match(line)
    assert match
    moment = datetime.strptime(match[1] + match[2], "%Y-%m-%d %H:%M:%S.%f%z")
    there = moment.astimezone(timezone(timedelta(hours=hours)))
    stamp = f"{there:%Y-%m-%d %H:%M:%S}.{there.microsecond // 1000:03d}{there.isoformat()[-6:]}"
    return stamp + line[match.end() - 1 :]


def other_zones(evidence: Evidence) -> None:
    """Client and server write the times of their own zones; on one of them it is another day."""
    for host, hours in (("client", 5.5), ("server", -9.5)):
        evidence.journals[host] = [in_zone(line, hours) for line in evidence.journals[host]]


def zone_changed_within(evidence: Evidence) -> None:
    """Summer time ends in the midst of the handshake: the clock on the wall goes back."""
    lines = evidence.journals["server"]
    evidence.journals["server"] = [in_zone(line, 2 if i < len(lines) // 2 else 1) for i, line in enumerate(lines)]


def zone_without_the_time(evidence: Evidence) -> None:
    """The same figures with another offset: another moment."""
    evidence.journals["client"] = [line.replace("+00:00 [", "+01:00 [") for line in evidence.journals["client"]]


def relay_carried_it(evidence: Evidence) -> None:
    """The pair's counter grew by as much as the exercise took."""
    for name in ("bytes_forward", "bytes_backward"):
        add(evidence.after("relay")["status"]["pairs"][0], name, 10_000)
