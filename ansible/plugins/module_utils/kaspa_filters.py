"""What other filters than ufw do to connections from anywhere: rules of iptables, tables of nftables, firewalld.

Only rules for everybody decide. A rule for some sources or interfaces, or with a condition that is not known here,
decides for some only, and is passed over.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ACCEPT, REFUSE = "accept", "refuse"
_VERDICTS = {"ACCEPT": ACCEPT, "DROP": REFUSE, "REJECT": REFUSE}
_UFW = re.compile(r"ufw6?-")
# Conditions that a first packet from anywhere meets.
_NEW = {"--state", "--ctstate"}
_DEPTH = 20


@dataclass(frozen=True)
class Refusal:
    """Who refuses connections to a port: filter (`iptables`, `ip6tables`, or a table of nftables), and its rule."""

    filter: str
    rule: str


@dataclass(frozen=True)
class Filters:
    """What a host has besides ufw.

    iptables: by family (4, 6), what iptables-save prints of the table filter. nft: what `nft -j list ruleset` prints.
    firewalld: whether it is active. persistent: packages that load rules of iptables at boot, as far as installed.
    """

    iptables: Mapping[int, str] = field(default_factory=dict)
    nft: str = ""
    firewalld: bool = False
    persistent: Sequence[str] = ()

    def refusals(self, port: int, protocol: str = "tcp", *, ufw: bool) -> list[Refusal]:
        """Who refuses that port to everybody, whatever ufw says. ufw: whether ufw is on, and decides in its turn."""
        found = []
        for family, name in ((4, "iptables"), (6, "ip6tables")):
            rule = iptables_refusal(self.iptables.get(family, ""), port, protocol, ufw=ufw)
            found += [Refusal(name, rule)] if rule else []
        return found + list(nft_refusals(self.nft, port, protocol))


def iptables_refusal(saved: str, port: int, protocol: str, *, ufw: bool) -> str:
    """The rule of INPUT that refuses the port to everybody; "" if there is none, or if ufw decides before it."""
    chains: dict[str, list[str]] = {}
    policies: dict[str, str] = {}
    for line in saved.splitlines():
        if line.startswith(":"):
            name, policy, *_ = line[1:].split()
            policies[name] = policy
        elif line.startswith("-A ") and (ufw or not _UFW.match(line.split()[1])):
            chains.setdefault(line.split()[1], []).append(line)
    if ufw:
        # From its chains on ufw decides, and its policy is that of INPUT.
        chains |= {name: [f"-A {name} -j ACCEPT"] for name in policies if _UFW.match(name)}
    decision = _walk(chains, "INPUT", port, protocol, 0)
    if decision is None:
        refused = _VERDICTS.get(policies.get("INPUT", "")) == REFUSE
        return "policy of INPUT" if refused else ""
    verdict, rule = decision
    return rule if verdict == REFUSE else ""


def _walk(
    chains: Mapping[str, Sequence[str]], name: str, port: int, protocol: str, depth: int
) -> tuple[str, str] | None:
    """The verdict of a chain, and the rule; None if it leaves the packet to what comes after it."""
    for line in chains.get(name, ()):
        target = _target(line, port, protocol)
        if target in _VERDICTS:
            return _VERDICTS[target], line
        if target == "RETURN":
            return None
        decision = _walk(chains, target, port, protocol, depth + 1) if target and depth < _DEPTH else None
        if decision is not None:
            return decision
    return None


def _target(line: str, port: int, protocol: str) -> str:
    """Where a rule sends a first packet to that port from anywhere; "" if it is not for everybody."""
    words = shlex.split(line)[2:]
    target, place = "", 0
    while place < len(words):
        word, value = words[place], words[place + 1] if place + 1 < len(words) else ""
        place += 2
        if word in ("-j", "-g"):
            target = value
            break
        if word == "-m":
            continue
        if word == "-p" and value in (protocol, "all"):
            continue
        if word in ("--dport", "--dports") and any(_within(port, span) for span in value.split(",")):
            continue
        if word in _NEW and "NEW" in value.split(","):
            continue
        if word == "--comment" or (word == "--tcp-flags" and (value, words[place]) == ("FIN,SYN,RST,ACK", "SYN")):
            place += word == "--tcp-flags"
            continue
        if word == "--syn":
            place -= 1
            continue
        return ""
    return target


def nft_refusals(printed: str, port: int, protocol: str) -> Iterator[Refusal]:
    """Tables of nftables, other than those of iptables and firewalld, that refuse the port to everybody."""
    entries = json.loads(printed).get("nftables", []) if printed.strip() else []
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    for chain in (entry["chain"] for entry in entries if "chain" in entry):
        where = (chain["family"], chain["table"])
        if chain.get("hook") != "input" or _of_others(chain):
            continue
        decision = _walk_nft(rules, (*where, chain["name"]), port, protocol, 0)
        if decision == REFUSE or (decision is None and chain.get("policy") == "drop"):
            what = "a rule" if decision == REFUSE else "the policy"
            yield Refusal(f"the nftables table {' '.join(where)}", f"{what} of its chain {chain['name']}")


def _of_others(chain: Mapping[str, Any]) -> bool:
    """iptables keeps its rules in nftables too, and firewalld has its own commands."""
    by_iptables = chain["family"] in ("ip", "ip6") and chain["table"] == "filter" and chain["name"] == "INPUT"
    return bool(by_iptables or chain["table"] == "firewalld")


def _walk_nft(
    rules: Sequence[Mapping[str, Any]], place: tuple[str, str, str], port: int, protocol: str, depth: int
) -> str | None:
    family, table, chain = place
    for rule in rules:
        if (rule["family"], rule["table"], rule["chain"]) != place:
            continue
        verdict = _nft_verdict(rule["expr"], port, protocol)
        if verdict in (ACCEPT, REFUSE):
            return verdict
        if verdict == "return":
            return None
        if verdict and depth < _DEPTH:
            decision = _walk_nft(rules, (family, table, verdict), port, protocol, depth + 1)
            if decision is not None:
                return decision
    return None


def _nft_verdict(expressions: Sequence[Mapping[str, Any]], port: int, protocol: str) -> str:
    """ACCEPT, REFUSE, `return`, a chain to go on in, or "" if the rule is not for everybody."""
    for expression in expressions:
        ((kind, value),) = expression.items()
        if kind == "match":
            if not _meets(value, port, protocol):
                return ""
        elif kind == "accept":
            return ACCEPT
        elif kind in ("drop", "reject"):
            return REFUSE
        elif kind in ("jump", "goto"):
            return str(value["target"])
        elif kind == "return":
            return kind
        elif kind not in ("counter", "log", "comment"):
            return ""
    return ""


def _meets(match: Mapping[str, Any], port: int, protocol: str) -> bool:
    left, right = match["left"], match["right"]
    values = right["set"] if isinstance(right, dict) and "set" in right else right
    values = values if isinstance(values, list) else [values]
    if match["op"] not in ("==", "in"):
        return False
    if left == {"payload": {"protocol": protocol, "field": "dport"}} or left == {
        "payload": {"protocol": "th", "field": "dport"}
    }:
        return any(_nft_within(port, each) for each in values)
    if left in ({"meta": {"key": "l4proto"}}, {"payload": {"protocol": "ip", "field": "protocol"}}):
        return bool(protocol in values)
    if left == {"ct": {"key": "state"}}:
        return bool("new" in values)
    return False


def _nft_within(port: int, value: Any) -> bool:
    if isinstance(value, dict) and "range" in value:
        first, last = value["range"]
        return bool(first <= port <= last)
    return bool(value == port)


def _within(port: int, span: str) -> bool:
    first, _, last = span.partition(":")
    return first.isdigit() and int(first) <= port <= int(last or first)
