"""What to change in a filter, and why not: decisions on ufw's rules as data, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_ufw import (
    ANYWHERE,
    COMMENT,
    EVERYWHERE,
    FAMILIES,
    NOWHERE,
    SOME,
    Access,
    Filter,
    Rule,
)

NODE, SSH, KEPT = "node", "ssh", "kept"
"""What a rule of ours is for."""


@dataclass(frozen=True)
class Wanted:
    """What has to get in.

    node: TCP ports of the node. ssh: those of SSH, none on a host not reached by SSH. source, interface, to: the
    address that this connection comes from, the interface that it comes in by, and the host's address that it came to;
    came: the port; "" and 0 if unknown. uplinks: by family, the interface by which strangers come and the address that
    they come to; "" if there may be several. kept: ports and protocols of other services. forwarding: whether packets
    that the host forwards still pass.
    """

    node: Sequence[int]
    ssh: Sequence[int] = ()
    source: str = ""
    came: int = 0
    interface: str = ""
    to: str = ""
    uplinks: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    kept: Sequence[tuple[int, str]] = ()
    forwarding: bool = False


@dataclass
class Plan:
    """The steps from one filter to another.

    commands: arguments of ufw, in order. filter: the filter after them. record: for uninstall. problems: why nothing
    may be changed; `what; remedy`. notes: what the owner should know.
    """

    filter: Filter
    record: dict[str, Any]
    commands: list[list[str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, family: int, port: int, number: int | None = None, protocol: str = "tcp") -> None:
        """Open a port, before the rule with that number, or at the end."""
        rules = self.filter.family(family)
        words = [*_rule(family, port, protocol), "comment", COMMENT]
        if number is not None:
            before = 0 if family == FAMILIES[0] else _count(self.filter.family(FAMILIES[0]))
            words = ["insert", str(before + number), *words]
        self.commands.append(words)
        place = _count(rules) + 1 if number is None else number
        anywhere = ANYWHERE[family]
        new = Rule(family, place, "allow", protocol, str(port), anywhere, "any", anywhere, comment=COMMENT)
        moved = [replace(rule, number=rule.number + (rule.number >= place)) for rule in rules]
        self._replace(family, sorted([*moved, new], key=lambda rule: rule.number))

    def remove(self, rule: Rule) -> None:
        """Remove a rule of ours."""
        self.commands.append(["--force", "delete", *_rule(rule.family, int(rule.ports), rule.protocol)])
        kept = [each for each in self.filter.family(rule.family) if each != rule]
        self._replace(rule.family, [replace(e, number=e.number - (e.number > rule.number)) for e in kept])

    def policy(self, incoming: str) -> None:
        """Set the default policy for incoming connections."""
        self.commands.append(["default", incoming, "incoming"])
        self.filter = replace(self.filter, incoming=incoming)

    def forward(self, routed: str) -> None:
        """Set the default policy for packets that the host forwards."""
        self.commands.append(["default", routed, "routed"])
        self.filter = replace(self.filter, routed=routed)

    def switch(self, on: bool) -> None:
        """Switch the filter on or off."""
        self.commands.append(["--force", "enable" if on else "disable"])
        self.filter = replace(self.filter, active=on)

    def _replace(self, family: int, rules: Iterable[Rule]) -> None:
        by_family = {each: self.filter.family(each) for each in FAMILIES}
        by_family[family] = list(rules)
        self.filter = replace(self.filter, rules=tuple(rule for each in FAMILIES for rule in by_family[each]))


def present(found: Filter, recorded: Mapping[str, Any], wanted: Wanted) -> Plan:
    """Let the node's ports in, and SSH from where it was let in before; refuse everything else."""
    added = _recorded_rules(found, recorded, wanted.ssh)
    record = {
        "active": recorded.get("active", found.active or found.enabled),
        "incoming": recorded.get("incoming", found.incoming),
        "rules": added,
    } | ({"routed": recorded["routed"]} if "routed" in recorded else {})
    plan = Plan(found, record)
    if not found.refuses:
        if wanted.came and ":" in wanted.source and not found.ipv6:
            plan.problems.append(
                f"this SSH connection comes from {wanted.source}, and ufw refuses all of IPv6 once it is on (IPV6=no "
                "in /etc/default/ufw); set IPV6=yes there, or connect by IPv4"
            )
        for family in _families(found):
            for port in wanted.ssh:
                _let_ssh_in(plan, family, port, wanted)
    for family in _families(found):
        for port in wanted.node:
            _let_node_in(plan, family, port, wanted)
        for port, protocol in wanted.kept:
            access = _after(plan.filter).access(port, protocol, family)
            if access.origin == NOWHERE and access.rule is None:
                _add(plan, family, port, KEPT, protocol=protocol)
    _shut_unneeded(plan, wanted)
    _forward(plan, wanted)
    if found.incoming == "allow":
        plan.policy("deny")
    if not found.active:
        plan.switch(True)
    return plan


def absent(found: Filter, recorded: Mapping[str, Any]) -> Plan:
    """Take back what deploy added, and nothing else."""
    plan = Plan(found, {})
    if not recorded:
        return plan
    if found.active and not recorded.get("active", True):
        plan.switch(False)
    if found.incoming == "deny" and recorded.get("incoming") not in (None, "", "deny"):
        plan.policy(recorded["incoming"])
    if plan.filter.routed == "allow" and "routed" in recorded:
        plan.forward(recorded["routed"])
    for each in _recorded_rules(found, recorded, ()):
        rule = _ours(plan.filter, each)
        if rule:
            plan.remove(rule)
    others = [rule for rule in plan.filter.rules if rule.family == FAMILIES[0]]
    if others and found.active and not plan.filter.active:
        plan.notes.append(
            f"ufw is off again, as before the first deploy; its {len(others)} rules of others stay, and are in force "
            "after `ufw enable`"
        )
    return plan


def _let_ssh_in(plan: Plan, family: int, port: int, wanted: Wanted) -> None:
    """A filter that is switched on must not shut SSH; a rule of the owner's for it is enough."""
    access = _after(plan.filter).access(port, family=family)
    if access.origin == NOWHERE and access.rule is None:
        _add(plan, family, port, SSH)
    elif access.origin == SOME:
        note = f"SSH ({port}/tcp) is left as it is: {access.reason}"
        plan.notes += [] if note in plan.notes else [note]
    if port != wanted.came or family != (6 if ":" in wanted.source else 4):
        return
    by = {"source": wanted.source, "interface": wanted.interface, "to": wanted.to}
    again = _after(plan.filter).access(port, family=family, **by)
    if again.origin == NOWHERE:
        plan.problems.append(
            f"this SSH connection comes from {wanted.source} to {port}/tcp, and {again.reason} would refuse the next "
            f"one once ufw is on; let it in: ufw prepend allow from {wanted.source} to any port {port} proto tcp"
        )


def strangers(found: Filter, port: int, family: int, uplinks: Mapping[int, tuple[str, str]]) -> Access:
    """Whether strangers get in to a TCP port: by the interface of the default route, not by the others of the host."""
    interface, to = uplinks.get(family, ("", ""))
    return found.access(port, family=family, interface=interface, to=to)


def _let_node_in(plan: Plan, family: int, port: int, wanted: Wanted) -> None:
    """Our rule goes to the end, or before a wider rule that would win; a rule for exactly this port is the owner's."""
    after = _after(plan.filter)
    access = strangers(after, port, family, wanted.uplinks)
    if access.origin == EVERYWHERE:
        return
    rule = access.rule
    if rule is None:
        _add(plan, family, port, NODE)
        return
    if rule.ports == str(port):
        shuts = "lets only some of a hole punch's connections in" if rule.action == "limit" else "shuts it"
        others = (strangers(after, port, each, wanted.uplinks) for each in _families(after) if each != family)
        if any(each.origin == EVERYWHERE for each in others):
            shuts += f" by IPv{family}"
        problem = (
            f"the node needs {port}/tcp, and the rule {access.reason} of this host {shuts}; remove that rule "
            f"(ufw delete {rule.text().removeprefix('ufw ')}), or give the node another port"
        )
        if problem not in plan.problems:
            plan.problems.append(problem)
        return
    behind = next((each for each in after.family(family) if each.exactly(port, "tcp") and each.action == "allow"), None)
    if behind is not None and not behind.ours:
        problem = (
            f"the node needs {port}/tcp, and the rule {access.reason} of this host wins over `{behind.text()}`, which "
            f"comes after it; put that rule first (ufw delete {behind.text().removeprefix('ufw ')}, then "
            f"ufw prepend {behind.text().removeprefix('ufw ')})"
        )
        if problem not in plan.problems:
            plan.problems.append(problem)
        return
    if behind is not None:
        plan.remove(behind)
    _add(plan, family, port, NODE, rule.number)


def _shut_unneeded(plan: Plan, wanted: Wanted) -> None:
    """A port of an earlier setting is shut again; a rule that is not ours any more is only forgotten."""
    needed = {*((port, "tcp") for port in (*wanted.node, *wanted.ssh)), *wanted.kept}
    kept = []
    for each in plan.record["rules"]:
        rule = _ours(plan.filter, each)
        if rule is None:
            continue
        if each["for"] == SSH or (each["port"], _protocol(each)) in needed:
            kept.append(each)
        else:
            plan.remove(rule)
    plan.record["rules"] = kept


def _forward(plan: Plan, wanted: Wanted) -> None:
    """Forwarding is kept as long as that is wanted, and is then as it was before."""
    routed = plan.filter.routed
    if wanted.forwarding and routed != "allow":
        plan.record.setdefault("routed", routed)
        plan.forward("allow")
    elif not wanted.forwarding and "routed" in plan.record:
        before = plan.record.pop("routed")
        if routed == "allow":
            plan.forward(before)


def _add(plan: Plan, family: int, port: int, purpose: str, number: int | None = None, *, protocol: str = "tcp") -> None:
    plan.add(family, port, number, protocol)
    entry = {"family": family, "port": port, "for": purpose} | ({} if protocol == "tcp" else {"protocol": protocol})
    plan.record["rules"] = [each for each in plan.record["rules"] if each != entry] + [entry]


def _after(found: Filter) -> Filter:
    """The filter once it is on and refuses by default."""
    return replace(found, active=True, incoming="deny" if found.incoming == "allow" else found.incoming)


def _recorded_rules(found: Filter, recorded: Mapping[str, Any], ssh: Iterable[int]) -> list[dict[str, Any]]:
    """The rules that deploy added. Earlier releases recorded ports only, and opened each in all families."""
    rules: list[dict[str, Any]] = list(recorded.get("rules", []))
    for port in recorded.get("ports", []):
        purpose = SSH if port == 22 or port in ssh else NODE
        rules += [{"family": family, "port": port, "for": purpose} for family in _families(found)]
    return rules


def _ours(found: Filter, recorded: Mapping[str, Any]) -> Rule | None:
    """Our rule that was recorded, if it still is as we added it."""
    port, protocol = recorded["port"], _protocol(recorded)
    rules = (rule for rule in found.family(recorded["family"]) if rule.ours and rule.action == "allow")
    return next((rule for rule in rules if rule.exactly(port, protocol) and rule.protocol == protocol), None)


def _protocol(recorded: Mapping[str, Any]) -> str:
    return str(recorded.get("protocol", "tcp"))


def _families(found: Filter) -> Sequence[int]:
    return FAMILIES if found.ipv6 else FAMILIES[:1]


def _rule(family: int, port: int, protocol: str) -> list[str]:
    return ["allow", "to", ANYWHERE[family], "port", str(port), "proto", protocol]


def _count(rules: Iterable[Rule]) -> int:
    return len({rule.number for rule in rules})
