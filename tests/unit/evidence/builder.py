"""A complete bundle of evidence, made with the writer of the journal itself, for tests to take apart."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaspa_node import milestones as m
from kaspa_node.journal import Journal, LineFormatter
from kaspa_node.milestones import Milestone

RUN = "20261123T101500Z-4f2a"
STARTED = 1795428900.0
CLIENT = "12D3KooWCz5QmVHpHqVdFSGAsLLPeXRSDLTyWhDzAPyDxM8QcEtP"
SERVER = "12D3KooWPC7iF5f59UFdRFEUfNprqjshtWcevpHm3N9VxD8ArxYW"
RELAY = "12D3KooWR2KSRQWyanR1dPvnZkXt296xgf3FFn8135szya3zYYwY"
CIRCUIT, DIRECT = "aa51c20b77d0e4f1", "9f3a51c20b77d0e4"
HOSTS = ("relay", "server", "client")
SYNTHETIC = "[fd12:3456:789a::1]:61216"


class Log:
    """Lines of one host, written by the real writer at times of our choosing."""

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew
        self.lines: list[str] = []
        self._now = 0.0
        logger = logging.Logger("evidence-builder", logging.DEBUG)
        logger.addHandler(_Keep(self))
        self._journal = Journal(logger)

    def at(self, offset: float, milestone: Milestone, **values: Any) -> None:
        self._now = STARTED + offset + self.skew
        self._journal.record(milestone, **values)

    def plain(self, offset: float, text: str) -> None:
        self._now = STARTED + offset + self.skew
        self._journal.info("%s", text)

    def keep(self, record: logging.LogRecord) -> None:
        record.created = self._now
        self.lines.append(LineFormatter().format(record))


class _Keep(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.keep(record)


@dataclass
class Evidence:
    """The files of a bundle as values; `write` puts them where `load` finds them."""

    run: dict[str, Any]
    journals: dict[str, list[str]]
    snapshots: dict[tuple[str, str], dict[str, Any]]
    files: dict[str, bytes] = field(default_factory=dict)
    native: dict[str, list[str]] = field(default_factory=dict)

    def edit(self, host: str, milestone: Milestone, change: Callable[[str], str | None]) -> None:
        """Change each line of that kind in the host's journal; None takes it away."""
        mark = f" milestone={milestone.name}"
        lines = [change(x) if f"{x} ".find(f"{mark} ") >= 0 else x for x in self.journals[host]]
        assert lines != self.journals[host], f"{host} has no {milestone}"
        self.journals[host] = [line for line in lines if line is not None]

    def drop(self, host: str, milestone: Milestone) -> None:
        self.edit(host, milestone, lambda line: None)

    def replace(self, host: str, milestone: Milestone, old: str, new: str) -> None:
        self.edit(host, milestone, lambda line: line.replace(old, new))

    def before(self, host: str) -> dict[str, Any]:
        return self.snapshots[host, "before"]

    def after(self, host: str) -> dict[str, Any]:
        return self.snapshots[host, "after"]

    def both(self, host: str) -> list[dict[str, Any]]:
        return [self.before(host), self.after(host)]

    def socket(self, host: str, label: str, remote: str) -> dict[str, Any]:
        found = [s for s in self.snapshots[host, label]["sockets"] if s["remote"] == remote]
        assert len(found) == 1, (host, label, remote, found)
        return found[0]  # type: ignore[no-any-return]

    def write(self, directory: Path) -> Path:
        """Write `directory/raw`; gives `directory`."""
        raw = directory / "raw"
        for host in HOSTS:
            (raw / host).mkdir(parents=True, exist_ok=True)
        (raw / "run.json").write_text(json.dumps(self.run))
        for name, logs in (("journal", self.journals), ("native", self.native)):
            for host, lines in logs.items():
                (raw / host / f"{name}.log").write_text("".join(f"{line}\n" for line in lines))
        for (host, label), snapshot in self.snapshots.items():
            (raw / host / f"snapshot-{label}.json").write_text(json.dumps(snapshot))
        for name, data in self.files.items():
            (raw / name).write_bytes(data)
        return directory


ADDRESS = {"relay": "203.0.113.10:4011", "server": "203.0.113.30:4012", "client": "203.0.113.20:4012"}
LOCAL = {"relay": "203.0.113.10:4011", "server": "10.2.0.2:4012", "client": "10.1.0.2:4012"}
_PID = {"relay": 100, "server": 200, "client": 300}
_ID = {"relay": RELAY, "server": SERVER, "client": CLIENT}


def socket(local: str, remote: str, acked: int, received: int, cookie: str, host: str) -> dict[str, Any]:
    """One entry of a snapshot's sockets, owned by the host's service."""
    return {
        "state": "ESTAB",
        "local": local,
        "remote": remote,
        "bytes_sent": acked + 40,
        "bytes_acked": acked,
        "bytes_received": received,
        "cookie": cookie,
        "inode": 4000 + len(cookie),
        "cgroup": f"/system.slice/{service(host)}.service",
        "pids": [_PID[host]],
    }


def service(host: str) -> str:
    return "kaspa-relay" if host == "relay" else "kaspa-peer"


def _direct_sockets(host: str, grown: int) -> list[dict[str, Any]]:
    if host == "relay":
        return []
    other = "server" if host == "client" else "client"
    return [socket(LOCAL[host], ADDRESS[other], 5001 + grown, 5000 + grown, f"d{host}", host)]


def _relay_sockets(host: str, grown: int) -> list[dict[str, Any]]:
    if host == "relay":
        return [
            socket(LOCAL["relay"], ADDRESS[peer], 9000 + grown, 8000 + grown, f"r{peer}", "relay")
            for peer in ("server", "client")
        ]
    return [socket(LOCAL[host], ADDRESS["relay"], 8000 + grown, 9000 + grown, f"p{host}", host)]


def _status(host: str, path: str, circuit_bytes: int) -> dict[str, Any]:
    common = {"role": "relay" if host == "relay" else "peer", "peer_id": _ID[host], "version": "0.1.0"}
    if host == "relay":
        return common | {
            "reservations": [{"peer_id": _ID[p], "observed": ADDRESS[p], "expires": 1} for p in ("server", "client")],
            "circuits": [],
            "pairs": [
                {
                    "src": CLIENT,
                    "dst": SERVER,
                    "circuits": 1,
                    "bytes_forward": 3000 + circuit_bytes,
                    "bytes_backward": 3500,
                }
            ],
        }
    other = "server" if host == "client" else "client"
    conn = DIRECT if path == "direct" else CIRCUIT
    return common | {
        "relays": [
            {"peer_id": RELAY, "addr": "/ip4/203.0.113.10/tcp/4011", "state": "reserved", "observed": ADDRESS[host]}
        ],
        "sessions": [
            {
                "session": f"{conn}.3",
                "conn": conn,
                "peer_id": _ID[other],
                "direction": "outgoing" if host == "client" else "incoming",
                "path": path,
                "state": "ready",
                "address": SYNTHETIC,
            }
        ],
    }


def _snapshot(host: str, label: str, path: str, skew: float) -> dict[str, Any]:
    time = STARTED + (3.0 if label == "before" else 6.0)
    grown = 0 if label == "before" else 40_000
    direct = _direct_sockets(host, grown) if path == "direct" else []
    through = (grown // 100) if path == "direct" else grown
    return {
        "host": host,
        "label": label,
        "time": time + skew,
        "controller_time": time,
        "service": {"name": service(host), "active": True, "pid": _PID[host], "invocation": f"{_PID[host]:032x}"},
        "sockets": direct + _relay_sockets(host, through),
        "status": _status(host, path, 0 if path == "direct" else 2 * grown),
        "error": None,
    }


def _run(path: str, expect: str, attempt: int) -> dict[str, Any]:
    conn = DIRECT if path == "direct" else CIRCUIT
    hosts = {
        host: {
            "role": "relay" if host == "relay" else "peer",
            "peer_id": _ID[host],
            "service": service(host),
            "addresses": [LOCAL[host].rpartition(":")[0]],
            "public": ADDRESS[host].rpartition(":")[0],
            "unreachable": None,
            "os": "Debian 12",
            "version": "0.1.0",
        }
        for host in HOSTS
    }
    return {
        "run_id": RUN,
        "started": STARTED,
        "ended": STARTED + 8,
        "expect_path": expect,
        "inventory": "lab",
        "pair": {"client": "client", "server": "server", "relay": "relay"},
        "hosts": hosts,
        "session": {
            "session": f"{conn}.3",
            "conn": conn,
            "path": path,
            "peer_id": SERVER,
            "run": RUN,
            "timings": {
                "relayed_dial": 0.22,
                "punch": 0.21 if path == "direct" else None,
                "first_direct": 0.34 if path == "direct" else None,
                "handshake": 0.3,
                "dial_to_ready": 0.9,
            },
            "punch": {"attempts": attempt, "succeeded": path == "direct", "reason": None},
        },
        "exercise": {"session": f"{conn}.3", "pings": 200, "seconds": 1.5, "bytes_sent": 1, "bytes_received": 1},
    }


def _journals(path: str, attempt: int, skews: dict[str, float]) -> dict[str, list[str]]:
    logs = {host: Log(skews.get(host, 0.0)) for host in HOSTS}
    relay, server, client = (logs[host] for host in HOSTS)
    logs["client"].plain(0.05, "asked for a fresh session")
    client.at(0.1, m.DIAL_STARTED, addr=f"/ip4/203.0.113.10/tcp/4011/p2p/{RELAY}/p2p-circuit", peer=SERVER, run=RUN)
    relay.at(0.2, m.RELAY_CIRCUIT_OPENED, circuit="c1", src=CLIENT, dst=SERVER)
    server.at(0.25, m.CIRCUIT_INBOUND, peer=CLIENT, relay=RELAY, conn=CIRCUIT)
    client.at(0.3, m.CIRCUIT_OUTBOUND, relay=RELAY, peer=SERVER, conn=CIRCUIT, seconds=0.22, run=RUN)
    _punch(server, path, attempt)
    if path == "direct":
        for host, log in (("server", server), ("client", client)):
            other = "client" if host == "server" else "server"
            log.at(
                0.6, m.CONNECTION_DIRECT, peer=_ID[other], conn=DIRECT, local=LOCAL[host], remote=ADDRESS[other],
                direction="incoming" if host == "server" else "outgoing",
            )  # fmt: skip
    _handshake(client, server, path)
    return {host: log.lines for host, log in logs.items()}


def _punch(server: Log, path: str, attempt: int) -> None:
    failed = attempt if path == "relayed" else attempt - 1
    for number in range(1, attempt + 1):
        server.at(
            0.3 + number / 100, m.PUNCH_STARTED, role="listener", peer=CLIENT, addrs="/ip4/203.0.113.20/tcp/4012",
            attempt=number, relayed=CIRCUIT,
        )  # fmt: skip
        if number <= failed:
            server.at(
                0.305 + number / 100, m.PUNCH_FAILED, reason="timed out", peer=CLIENT, attempt=number, relayed=CIRCUIT,
                seconds=10.0,
            )  # fmt: skip
    if path == "direct":
        server.at(
            0.5, m.PUNCH_SUCCEEDED, conn=DIRECT, peer=CLIENT, attempt=attempt, relayed=CIRCUIT, local=LOCAL["server"],
            remote=ADDRESS["client"], seconds=0.2, relay_rtt=0.1,
        )  # fmt: skip


def _handshake(client: Log, server: Log, path: str) -> None:
    conn = DIRECT if path == "direct" else CIRCUIT
    session = f"{conn}.3"
    shared: dict[str, Any] = {"session": session, "conn": conn, "path": path, "protocol": "/kaspad/transport/1.0.0"}
    client.at(0.7, m.STREAM_OPENED, peer=SERVER, run=RUN, **shared)
    server.at(0.75, m.STREAM_ACCEPTED, peer=CLIENT, **shared)
    for log, peer, direction, bound in (
        (server, CLIENT, "incoming", "inbound"),
        (client, SERVER, "outgoing", "outbound"),
    ):
        log.at(0.76, m.ADDRESS_SYNTHESIZED, direction=bound, addr=SYNTHETIC, peer=peer, session=session)
        log.at(0.8, m.VERSION_SENT, session=session, peer=peer, protocol=10, network="kaspa-simnet")
        log.at(
            0.9, m.VERSION_RECEIVED, session=session, peer=peer, protocol=10, applied=10, network="kaspa-simnet",
            user_agent="/kaspa-node:0.1.0/",
        )  # fmt: skip
        log.at(0.95, m.VERACK_RECEIVED, session=session, peer=peer)
        log.at(1.0, m.READY_RECEIVED, session=session, peer=peer)
        log.at(
            1.0, m.PEER_CONNECTED, direction=direction, addr=SYNTHETIC, bound=bound, count=1, path=path, peer=peer,
            session=session, seconds=0.3,
        )  # fmt: skip


def complete(
    path: str = "direct", expect: str = "direct", attempt: int = 1, skews: dict[str, float] | None = None
) -> Evidence:
    """Evidence of a run in which all is as it should be, on that path; `attempt` punches were needed, or failed."""
    skews = skews or {}
    return Evidence(
        _run(path, expect, attempt),
        _journals(path, attempt, skews),
        {
            (host, label): _snapshot(host, label, path, skews.get(host, 0.0))
            for host in HOSTS
            for label in ("before", "after")
        },
    )
