"""What other filters than ufw do to connections from strangers: rules of iptables, and tables of nftables.

The walk follows the first packet of a stranger's connection to a port. A condition that can't be judged here, such as a
rate, makes a rule one for *some* packets. A refusal is reported only if no rule before it may accept the packet.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ACCEPT, REFUSE, PERHAPS, RETURN = "accept", "refuse", "perhaps", "return"
"""What a rule does with the packet. PERHAPS: a rule for some packets accepts, so that nothing is certain after it."""

NEVER, SOMETIMES, ALWAYS = 0, 1, 2
"""Whether a condition holds for the packet. `not` is 2 minus it, `and` the lesser one."""

FIREWALLD = "the nftables table inet firewalld"
POLICY = "policy of INPUT"

_VERDICTS = {"ACCEPT": ACCEPT, "DROP": REFUSE, "REJECT": REFUSE, "RETURN": RETURN}
_UFW = re.compile(r"ufw6?-")
_DEVICE = re.compile(r"\bdev (\S+)")
_MODULES = {"tcp", "udp", "state", "conntrack", "comment", "multiport", "set"}
_STATEMENTS = ("counter", "log", "comment", "mangle", "notrack", "ct helper")
_HEADERS = ("ip", "ip6", "tcp", "udp", "icmp", "icmpv6")
_DEPTH = 20
_PRIVATE_USE = ipaddress.ip_network("fc00::/7")
"""Addresses of IPv6 that no stranger can reach; those of IPv4 may be behind a NAT that forwards a port."""


@dataclass(frozen=True)
class Refusal:
    """Who refuses connections to a port: filter (`iptables`, `ip6tables`, or a table of nftables), and its rule.

    families: the IP versions in which it does.
    """

    filter: str
    rule: str
    families: tuple[int, ...] = (4,)


@dataclass(frozen=True)
class Packet:
    """The first packet of a stranger's connection. uplinks: interfaces that it may come in by; none if unknown."""

    port: int
    protocol: str = "tcp"
    family: int = 4
    uplinks: Collection[str] = ()


@dataclass(frozen=True)
class Filters:
    """What a host has besides ufw.

    iptables: by family (4, 6), what iptables-save prints of the table filter. nft: what `nft -j list ruleset` prints.
    routes: by family, what `ip route show default` prints. addresses: what `ip -o address show scope global` prints.
    firewalld: whether it is active. persistent: packages that load rules of iptables at boot, as far as installed.
    """

    iptables: Mapping[int, str] = field(default_factory=dict)
    nft: str = ""
    firewalld: bool = False
    persistent: Sequence[str] = ()
    routes: Mapping[int, str] = field(default_factory=dict)
    addresses: str = ""

    def families(self, listening: Collection[str] = ()) -> tuple[int, ...]:
        """The IP versions by which strangers come: those with a default route and an address; IPv4 if none has both.

        listening: the addresses that a program listens on. An IP version without one is left out.
        """
        mine = {each.version for _, each in self._addresses() if each not in _PRIVATE_USE}
        found = tuple(each for each in (4, 6) if each in mine and self.routes.get(each, "").strip()) or (4,)
        listened = {6 if ":" in each else 4 for each in listening}
        return tuple(each for each in found if each in listened) or found

    def interfaces(self, families: Iterable[int] = (4, 6)) -> set[str]:
        """The interfaces of the default routes."""
        return {name for family in families for name in _DEVICE.findall(self.routes.get(family, ""))}

    def uplink(self, family: int) -> tuple[str, str]:
        """The interface by which strangers come, and the address that they come to; "" if there may be several."""
        interfaces = self.interfaces([family])
        if len(interfaces) != 1:
            return "", ""
        (interface,) = interfaces
        own = [str(each) for name, each in self._addresses() if (name, each.version) == (interface, family)]
        return interface, own[0] if len(own) == 1 else ""

    def _addresses(self) -> list[tuple[str, ipaddress.IPv4Address | ipaddress.IPv6Address]]:
        """The interfaces with their addresses."""
        lines = (line.split() for line in self.addresses.splitlines())
        return [(words[1], ipaddress.ip_interface(words[3]).ip) for words in lines if len(words) > 3]

    def refusals(
        self, port: int, protocol: str = "tcp", *, ufw: bool, listening: Collection[str] = ()
    ) -> list[Refusal]:
        """Who refuses that port to strangers, whatever ufw says. ufw: whether ufw is on, and decides in its turn."""
        found: dict[tuple[str, str], tuple[int, ...]] = {}
        for family in self.families(listening):
            packet = Packet(port, protocol, family, self.interfaces([family]))
            for each in self._refusals(packet, ufw=ufw):
                key = (each.filter, each.rule)
                found[key] = (*found.get(key, ()), family)
        return [Refusal(*key, families) for key, families in found.items()]

    def _refusals(self, packet: Packet, *, ufw: bool) -> Iterator[Refusal]:
        rule = iptables_refusal(self.iptables.get(packet.family, ""), packet, ufw=ufw)
        if rule:
            yield Refusal("iptables" if packet.family == 4 else "ip6tables", rule)
        yield from nft_refusals(self.nft, packet)


@dataclass(frozen=True)
class Step:
    """A rule as it concerns one packet.

    match: NEVER … ALWAYS. target: a verdict, or a chain. text: for people. leaves: whether the packet does not come
    back to the rules after it, as with a goto.
    """

    match: int
    target: str
    text: str = ""
    leaves: bool = False


def _walk(steps: Callable[[str], Iterable[Step]], chain: str, depth: int = 0) -> tuple[str, str] | None:
    """The verdict of a chain, and the rule; None if it leaves the packet to what comes after it."""
    for step in steps(chain):
        if step.match == NEVER:
            continue
        decision: tuple[str, str] | None = (step.target, step.text)
        if step.target == RETURN:
            if step.match == ALWAYS:
                return None
        elif step.target not in (ACCEPT, REFUSE):
            decision = _walk(steps, step.target, depth + 1) if depth < _DEPTH else None
            if decision is None and step.leaves and step.match == ALWAYS:
                return None
        if decision is None or (step.match == SOMETIMES and decision[0] == REFUSE):
            continue
        return decision if step.match == ALWAYS else (PERHAPS, "")
    return None


def iptables_refusal(saved: str, packet: Packet, *, ufw: bool) -> str:
    """The rule of INPUT that refuses the packet; "" if there is none, or if ufw decides before it."""
    chains: dict[str, list[Step]] = {}
    policy = ""
    for line in saved.splitlines():
        if line.startswith(":INPUT "):
            policy = line.split()[1]
        elif line.startswith("-A "):
            _, chain, *words = shlex.split(line)
            if not _UFW.match(chain):
                chains.setdefault(chain, []).append(_step(words, packet, line))
    # From its chains on ufw decides, and its policy is that of INPUT.
    ours = [Step(ALWAYS, ACCEPT)] if ufw else []
    decision = _walk(lambda name: ours if _UFW.match(name) else chains.get(name, ()), "INPUT")
    if decision is None:
        return POLICY if _VERDICTS.get(policy) == REFUSE else ""
    return decision[1] if decision[0] == REFUSE else ""


def _step(words: Sequence[str], packet: Packet, line: str) -> Step:
    match, target, leaves = ALWAYS, "", False
    for negated, option, values in _options(words):
        if option in ("-j", "-g"):
            # Options after it are the target's.
            target, leaves = values[0], option == "-g"
            break
        holds = _holds(option, values, packet)
        match = min(match, ALWAYS - holds if negated else holds)
    return Step(match, _VERDICTS.get(target, target), line, leaves)


def _options(words: Sequence[str]) -> Iterator[tuple[bool, str, list[str]]]:
    """Whether it is negated, its name, and its values, of each option of a rule."""
    place = 0
    while place < len(words):
        negated = words[place] == "!"
        start = place + negated
        place = start + 1
        first = start + 1 if words[start] == "--comment" else 0
        while place < len(words) and (place == first or not words[place].startswith(("-", "!"))):
            place += 1
        yield negated, words[start], list(words[start + 1 : place])


def _holds(option: str, values: Sequence[str], packet: Packet) -> int:
    """Whether a condition of iptables holds, before a `!`."""
    value = values[0] if values else ""
    if option == "-m":
        return ALWAYS if value in _MODULES else SOMETIMES
    if option == "-p":
        return _if(value in (packet.protocol, "all"))
    if option in ("--dport", "--dports"):
        return _if(any(_within(packet.port, span) for span in value.split(",")))
    if option in ("--state", "--ctstate"):
        return _if("NEW" in value.split(","))
    if option == "--tcp-flags":
        return _if(values[1] == "SYN") if values[0] == "FIN,SYN,RST,ACK" else SOMETIMES
    if option == "-s":
        # Strangers come from none of the addresses that an owner names.
        return NEVER
    if option == "-i":
        return _comes_by(value, packet)
    return ALWAYS if option in ("--comment", "--syn") else SOMETIMES


def _comes_by(interface: str, packet: Packet) -> int:
    """Whether the packet comes in by an interface; the name may end with `+` (iptables) or `*` (nftables)."""
    if interface == "lo":
        return NEVER
    if not packet.uplinks:
        return SOMETIMES
    if interface[-1:] in ("+", "*"):
        return _if(any(each.startswith(interface[:-1]) for each in packet.uplinks))
    return _if(interface in packet.uplinks)


def nft_refusals(printed: str, packet: Packet) -> Iterator[Refusal]:
    """Tables of nftables, other than those of iptables, that refuse the packet."""
    entries = json.loads(printed).get("nftables", []) if printed.strip() else []
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    elements = [entry["set"] for entry in entries if "set" in entry]
    for chain in (entry["chain"] for entry in entries if "chain" in entry):
        where = (chain["family"], chain["table"])
        if chain.get("hook") != "input" or _of_iptables(chain):
            continue
        if chain["family"] not in ("inet", "ip" if packet.family == 4 else "ip6"):
            continue
        sets = {f"@{each['name']}": each.get("elem", []) for each in elements if _place(each) == where}
        own = [rule for rule in rules if _place(rule) == where]
        decision = _walk(_steps(own, sets, packet), chain["name"])
        if decision is None and chain.get("policy") == "drop":
            yield Refusal(f"the nftables table {' '.join(where)}", f"the policy of its chain {chain['name']}")
        elif decision is not None and decision[0] == REFUSE:
            yield Refusal(f"the nftables table {' '.join(where)}", f"a rule of its chain {decision[1]}")


def _place(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["family"], entry["table"]


def _of_iptables(chain: Mapping[str, Any]) -> bool:
    """iptables keeps its rules in nftables too."""
    return chain["family"] in ("ip", "ip6") and chain["table"] == "filter" and chain["name"] == "INPUT"


def _steps(
    rules: Sequence[Mapping[str, Any]], sets: Mapping[str, Any], packet: Packet
) -> Callable[[str], Iterator[Step]]:
    def steps(chain: str) -> Iterator[Step]:
        for rule in rules:
            if rule["chain"] == chain:
                yield from _nft_steps(rule, sets, packet)

    return steps


def _nft_steps(rule: Mapping[str, Any], sets: Mapping[str, Any], packet: Packet) -> Iterator[Step]:
    match = ALWAYS
    for expression in rule["expr"]:
        ((kind, value),) = expression.items()
        if kind == "match":
            match = min(match, _meets(value["left"], _elements(value["right"], sets), packet, value["op"]))
        elif kind == "vmap":
            for element, verdict in _elements(value["data"], sets) or []:
                holds = min(match, _meets(value["key"], [element], packet))
                yield Step(holds, _target(verdict), rule["chain"], "goto" in verdict)
        elif kind in ("accept", "drop", "reject", "jump", "goto", "return"):
            yield Step(match, _target(expression), rule["chain"], kind == "goto")
        elif kind not in _STATEMENTS:
            match = min(match, SOMETIMES)


def _target(verdict: Mapping[str, Any]) -> str:
    ((kind, value),) = verdict.items()
    if kind in ("jump", "goto"):
        return str(value["target"])
    return {"accept": ACCEPT, "return": RETURN}.get(kind, REFUSE)


def _elements(right: Any, sets: Mapping[str, Any]) -> list[Any] | None:
    """What a condition compares with; None for a set whose elements are not known."""
    if isinstance(right, dict) and "set" in right:
        right = right["set"]
    if isinstance(right, str) and right.startswith("@"):
        return sets.get(right)
    return right if isinstance(right, list) else [right]


def _meets(left: Mapping[str, Any], values: Sequence[Any] | None, packet: Packet, operator: str = "==") -> int:
    """Whether a condition of nftables holds."""
    # A mask is around what it is for: `tcp flags & (fin|syn|rst|ack) == syn`.
    left = left["&"][0] if "&" in left else left
    about = left.get("payload", {}).get("protocol", "th")
    if about in _HEADERS and about not in (packet.protocol, "ip" if packet.family == 4 else "ip6"):
        # Whatever it says of a header, the packet has none of that kind.
        return NEVER
    if operator not in ("==", "in", "!="):
        return SOMETIMES
    holds = _equals(left, values, packet)
    return ALWAYS - holds if operator == "!=" else holds


def _equals(left: Mapping[str, Any], values: Sequence[Any] | None, packet: Packet) -> int:
    payload, meta, ct = (left.get(each) or {} for each in ("payload", "meta", "ct"))
    if payload.get("field") == "saddr" or ct.get("key") == "status":
        return NEVER
    if values is None:
        return SOMETIMES
    if payload.get("field") == "flags":
        return _if(values == ["syn"])
    if payload.get("field") == "dport":
        return _if(any(_nft_within(packet.port, each) for each in values))
    if meta.get("key") == "l4proto" or payload.get("field") in ("protocol", "nexthdr"):
        return _if(packet.protocol in values)
    if meta.get("key") == "nfproto":
        return _if(f"ipv{packet.family}" in values)
    if meta.get("key") in ("iif", "iifname"):
        return max((_comes_by(str(each), packet) for each in values), default=NEVER)
    return _if("new" in values) if ct.get("key") == "state" else SOMETIMES


def _nft_within(port: int, value: Any) -> bool:
    if isinstance(value, dict) and "range" in value:
        first, last = value["range"]
        return bool(first <= port <= last)
    return bool(value == port)


def _within(port: int, span: str) -> bool:
    first, _, last = span.partition(":")
    return first.isdigit() and int(first) <= port <= int(last or first)


def _if(holds: bool) -> int:
    return ALWAYS if holds else NEVER
