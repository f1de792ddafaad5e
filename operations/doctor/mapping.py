"""Finds out what a NAT does with a peer's listening port: with a second connection that the relay's kernel sees.

The relay has reported the mapping that it sees at its own port. Here the peer connects from the same port to another
port of the relay: its SSH server, or a listener of the doctor if there is no firewall. If the connection arrives from
another address, the NAT uses another mapping for each destination. The relay recognizes each peer's connection by its
number of bytes.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kaspa_node.evidence.endpoints import parse_endpoint
from operations.doctor.facts import Facts, Host, Mapped
from operations.fleet import on_all
from operations.inventory import Node
from operations.link import Link
from operations.problems import OperationProblem

SECONDS = 4.0
HOLD_SECONDS = 15.0
SSH_PORT = 22
FEWEST_BYTES, SPREAD = 64, 180
"""The bytes that a peer sends: fewer than the longest first line of SSH (RFC 4253, 255), and different for each."""

Command = Callable[[str, Mapping[str, Any]], list[str]]


@dataclass
class _Round:
    """One observation. port: of the relay's listener, after `listening`; over: the peers may disconnect."""

    port: int | None = None
    listening: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    reached: dict[str, str] = field(default_factory=dict)


def observe(relay: Node, peers: Sequence[Node], facts: Facts, timeout: float, command: Command) -> tuple[Mapped, ...]:
    """Where these peers' listening ports arrive at a second port of the relay; only what could be found out."""
    numbers = random.sample(range(FEWEST_BYTES, FEWEST_BYTES + SPREAD), len(peers))
    counts = {peer.name: count for peer, count in zip(peers, numbers, strict=True)}
    this = _Round()
    host = facts.hosts[relay.name]

    def work(node: Node, link: Link) -> dict[str, str]:
        if node is relay:
            return _watch(node, link, host, sorted(counts.values()), this, command)
        _knock(node, link, facts.hosts[node.name], host, counts[node.name], this, command)
        return {}

    seen = on_all((relay, *peers), work, timeout=timeout)[relay.name]
    if isinstance(seen, OperationProblem):
        return ()
    found = []
    for name, count in counts.items():
        end = parse_endpoint(seen.get(str(count), ""))
        if end is not None and name in this.reached:
            port = this.reached[name].rpartition(":")[2]
            found.append(Mapped(name, f"{relay.name} (port {port})", end))
    return tuple(found)


def _watch(node: Node, link: Link, host: Host, counts: list[int], this: _Round, command: Command) -> dict[str, str]:
    """On the relay. Uses a listener only without a firewall, because a firewall blocks the listener's random port."""
    seen: dict[str, str] = {}

    def heard(line: str) -> None:
        answer = json.loads(line)
        if "port" in answer:
            this.port = answer["port"]
            this.listening.set()
        seen.update(answer.get("seen", {}))

    walled = host.firewall is not None and (host.firewall.on or host.firewall.others)
    wanted = {"bytes": counts, "listen": None if walled else _host_of(host.announced), "seconds": SECONDS}
    try:
        link.stream(command("watch", wanted), heard, timeout=SECONDS + HOLD_SECONDS, stop=threading.Event())
    finally:
        this.listening.set()
        this.over.set()
    return seen


def _knock(node: Node, link: Link, peer: Host, relay: Host, count: int, this: _Round, command: Command) -> None:
    """On a peer, until the relay has seen it."""

    def heard(line: str) -> None:
        answer = json.loads(line)
        if "address" in answer:
            this.reached[node.name] = answer["address"]

    this.listening.wait(SECONDS)
    at = _host_of(relay.announced)
    ports = [port for port in (this.port, SSH_PORT) if port is not None]
    listen = peer.settings.listen[0].host if peer.settings is not None else "0.0.0.0"
    wanted = {
        "addresses": [f"[{at}]:{port}" if ":" in at else f"{at}:{port}" for port in ports],
        "host": listen,
        "port": peer.port,
        "pid": peer.service.pid if peer.service is not None else 0,
        "bytes": count,
        "seconds": SECONDS / 2,
        "hold": HOLD_SECONDS,
    }
    link.stream(command("knock", wanted), heard, timeout=HOLD_SECONDS, stop=this.over)


def _host_of(announced: str) -> str:
    return announced.rpartition(":")[0].strip("[]")
