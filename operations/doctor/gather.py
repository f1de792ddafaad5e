"""Asking the hosts, all at once: what each is like, which addresses it reaches, and what its NAT does with its port."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import kaspa_rulesets

from kaspa_node import milestones
from kaspa_node.evidence.decode import DecodeError, Record, parse_json
from operations import ask
from operations.doctor import mapping
from operations.doctor.facts import OPEN, PEER, RELAY, Facts, Host, Mapped, Reach
from operations.doctor.pair import DIRECT, Pair, addresses, place
from operations.doctor.read import read_host
from operations.fleet import on_all
from operations.inventory import Inventory, Node
from operations.link import Link
from operations.problems import HostProblem, OperationProblem
from operations.supervisor import PYTHON

PROBES = Path(__file__).parent / "probes"
CONNECT_SECONDS = 3.0
LINES = 400


@dataclass(frozen=True, slots=True)
class Asking:
    """The hosts to ask. timeout: seconds for each host and round. remembered: peer ids that the controller knows."""

    inventory: Inventory
    nodes: tuple[Node, ...]
    timeout: float
    remembered: Mapping[str, str] = field(default_factory=dict)


def gather(asking: Asking, pairs: Iterable[tuple[str, str]]) -> Facts:
    """The facts for these pairs, dialer and dialed. Hosts that can't be reached are among them, with the reason."""
    known = {node.name: replace(_known(node), remembered_id=asking.remembered.get(node.name)) for node in asking.nodes}
    looked = on_all(asking.nodes, _look, timeout=asking.timeout)
    hosts = {name: _host(known[name], answer) for name, answer in looked.items()}
    facts = Facts(hosts)
    facts = replace(facts, reached=_reach(asking, facts))
    apart = {name for a, b in pairs if Pair(facts, hosts[a], hosts[b]).path != DIRECT for name in (a, b)}
    return replace(facts, mapped=_mapped(asking, facts, apart))


def program(name: str) -> str:
    """The text of a probe."""
    return (PROBES / f"{name}.py").read_text(encoding="utf-8")


def command(name: str, wanted: Mapping[str, Any]) -> list[str]:
    """The command line that runs a probe."""
    return [PYTHON, "-I", "-c", program(name), json.dumps(wanted)]


def _known(node: Node) -> Host:
    """The values of the inventory."""
    port = int(node.variable(f"kaspa_{node.role}_port"))
    announced = ""
    if node.role == RELAY:
        address = str(node.variable("kaspa_relay_address"))
        announced = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return Host(node.name, node.role, port, dials=node.dials, announced=announced)


def _host(known: Host, answer: Host | OperationProblem) -> Host:
    if isinstance(answer, OperationProblem):
        return replace(known, unreachable=answer.text)
    return answer


def _look(node: Node, link: Link) -> Host:
    paths = node.paths
    wanted = {
        "manager": node.manager,
        "service": node.service,
        "directory": paths.directory,
        "config": paths.config,
        "key": paths.key,
        "facts": paths.facts_dir,
        "status": ask.command(node, ["status", "--control", paths.control, "--json"]),
        "identity": ask.command(node, ["identity", "--config", paths.config, "--json"], user=paths.user),
        "rulesets": list(kaspa_rulesets.COMMAND),
        "milestones": [each.name for each in milestones.ALL],
        "count": LINES,
    }
    began = time.time()
    answer = _answer(node, link, "look", wanted)
    ahead = _ahead(answer.number("time"), began, time.time())
    try:
        return read_host(_known(node), answer, node.service, paths.config, ahead)
    except DecodeError as error:
        raise HostProblem(f"what it says of itself can't be read: {error}", node.name) from error


def _ahead(theirs: float, began: float, ended: float) -> float:
    """Seconds of their clock ahead of ours; 0 if theirs is within the time that the request took."""
    return theirs - max(began, min(theirs, ended))


def _answer(node: Node, link: Link, name: str, wanted: Mapping[str, Any]) -> Record:
    ran = link.run(command(name, wanted))
    if not ran.ok:
        raise HostProblem(f"looking at it failed: {ran.complaint}", node.name)
    try:
        return parse_json(node.name, ran.text)
    except DecodeError as error:
        raise HostProblem(f"what it says of itself can't be read: {error}", node.name) from error


def _reach(asking: Asking, facts: Facts) -> tuple[Reach, ...]:
    """Tries, from the peer, every relay address of its settings and of the inventory, and the backend's address."""
    announced = {relay.announced for relay in facts.relays}

    def wanted(host: Host) -> list[str]:
        backend = host.settings.backend_address if host.settings is not None else None
        at = announced | {place(address) for address in addresses(host)}
        return sorted(at | ({str(backend)} if backend is not None else set()))

    def work(node: Node, link: Link) -> dict[str, str]:
        tried = {"addresses": wanted(facts.hosts[node.name]), "seconds": CONNECT_SECONDS}
        answer = _answer(node, link, "reach", tried)
        return {name: answer.text(name) for name in answer.names}

    peers = _there(asking.nodes, facts, PEER)
    found = on_all(peers, work, timeout=asking.timeout)
    outcomes = ((name, value) for name, value in found.items() if not isinstance(value, OperationProblem))
    return tuple(Reach(name, at, outcome) for name, value in outcomes for at, outcome in value.items())


def _there(nodes: Iterable[Node], facts: Facts, role: str) -> list[Node]:
    return [node for node in nodes if node.role == role and facts.hosts[node.name].unreachable is None]


def _mapped(asking: Asking, facts: Facts, names: set[str]) -> tuple[Mapped, ...]:
    """Where these peers' listening ports arrive at a second port of a relay."""
    peers = [node for node in _there(asking.nodes, facts, PEER) if node.name in names and _has_port(facts, node)]
    for relay in _there(asking.nodes, facts, RELAY):
        at = facts.hosts[relay.name].announced
        able = [node for node in peers if facts.outcome(node.name, at) == OPEN]
        if able:
            return mapping.observe(relay, able, facts, asking.timeout, command)
    return ()


def _has_port(facts: Facts, node: Node) -> bool:
    """Whether the node runs: then a relay has seen its port, and the port can be shared with it."""
    status = facts.hosts[node.name].status
    return status is not None and any(link.observed is not None for link in status.relays)
