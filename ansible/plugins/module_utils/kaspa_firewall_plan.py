"""What to change in a filter, and why not: decisions on ufw's rules as data, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible.module_utils.kaspa_ufw import ANYWHERE, COMMENT, EVERYWHERE, FAMILIES, NOWHERE, SOME, Filter, Rule

NODE, SSH = "node", "ssh"
"""What a rule of ours is for."""


@dataclass(frozen=True)
class Wanted:
    """What has to get in.

    node: TCP ports of the node. ssh: those of SSH, none on a host that is not reached by SSH. source, came: the
    address that this connection comes from, and the port that it came to; "" and 0 if unknown.
    """

    node: Sequence[int]
    ssh: Sequence[int] = ()
    source: str = ""
    came: int = 0


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

    def add(self, family: int, port: int, number: int | None = None) -> None:
        """Open a port, before the rule with that number, or at the end."""
        rules = self.filter.family(family)
        words = [*_rule(family, port), "comment", COMMENT]
        if number is not None:
            before = 0 if family == FAMILIES[0] else _count(self.filter.family(FAMILIES[0]))
            words = ["insert", str(before + number), *words]
        self.commands.append(words)
        place = _count(rules) + 1 if number is None else number
        anywhere = ANYWHERE[family]
        new = Rule(family, place, "allow", "tcp", str(port), anywhere, "any", anywhere, comment=COMMENT)
        moved = [replace(rule, number=rule.number + (rule.number >= place)) for rule in rules]
        self._replace(family, sorted([*moved, new], key=lambda rule: rule.number))

    def remove(self, rule: Rule) -> None:
        """Remove a rule of ours."""
        self.commands.append(["--force", "delete", *_rule(rule.family, int(rule.ports))])
        kept = [each for each in self.filter.family(rule.family) if each != rule]
        self._replace(rule.family, [replace(e, number=e.number - (e.number > rule.number)) for e in kept])

    def policy(self, incoming: str) -> None:
        """Set the default policy for incoming connections."""
        self.commands.append(["default", incoming, "incoming"])
        self.filter = replace(self.filter, incoming=incoming)

    def switch(self, on: bool) -> None:
        """Switch the filter on or off."""
        self.commands.append(["--force", "enable" if on else "disable"])
        self.filter = replace(self.filter, active=on)

    def _replace(self, family: int, rules: Iterable[Rule]) -> None:
        by_family = {each: self.filter.family(each) for each in FAMILIES}
        by_family[family] = list(rules)
        self.filter = replace(self.filter, rules=tuple(rule for each in FAMILIES for rule in by_family[each]))


def filters(found: Filter) -> bool:
    """Whether a filter refuses what no rule lets in."""
    return found.active and found.incoming != "allow"


def present(found: Filter, recorded: Mapping[str, Any], wanted: Wanted) -> Plan:
    """Let the node's ports in, and SSH from where it was let in before; refuse everything else."""
    added = _recorded_rules(found, recorded, wanted.ssh)
    record = {
        "active": recorded.get("active", found.active),
        "incoming": recorded.get("incoming", found.incoming),
        "rules": added,
    }
    plan = Plan(found, record)
    if not filters(found):
        for family in _families(found):
            for port in wanted.ssh:
                _let_ssh_in(plan, family, port, wanted)
    for family in _families(found):
        for port in wanted.node:
            _let_node_in(plan, family, port)
    _shut_unneeded(plan, wanted)
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
    for each in _recorded_rules(found, recorded, ()):
        rule = _ours(plan.filter, each["family"], each["port"])
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
        return
    came = port == wanted.came and family == (6 if ":" in wanted.source else 4)
    if came and _after(plan.filter).access(port, family=family, source=wanted.source).origin == NOWHERE:
        plan.problems.append(
            f"this SSH connection comes from {wanted.source} to {port}/tcp, and {access.reason} would refuse the next "
            f"one once ufw is on; let it in: ufw prepend allow from {wanted.source} to any port {port} proto tcp"
        )
    elif access.origin == SOME:
        plan.notes.append(f"SSH ({port}/tcp) is left as it is: {access.reason}")


def _let_node_in(plan: Plan, family: int, port: int) -> None:
    """Our rule goes to the end, or before a wider rule that would win; a rule for exactly this port is the owner's."""
    after = _after(plan.filter)
    access = after.access(port, family=family)
    if access.origin == EVERYWHERE:
        return
    rule = access.rule
    if rule is None:
        _add(plan, family, port, NODE)
        return
    if rule.exactly(port, "tcp"):
        shuts = "lets only some of a hole punch's connections in" if rule.action == "limit" else "shuts it"
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
    kept = []
    for each in plan.record["rules"]:
        rule = _ours(plan.filter, each["family"], each["port"])
        if rule is None:
            continue
        if each["for"] == SSH or each["port"] in (*wanted.node, *wanted.ssh):
            kept.append(each)
        else:
            plan.remove(rule)
    plan.record["rules"] = kept


def _add(plan: Plan, family: int, port: int, purpose: str, number: int | None = None) -> None:
    plan.add(family, port, number)
    entry = {"family": family, "port": port, "for": purpose}
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


def _ours(found: Filter, family: int, port: int) -> Rule | None:
    """Our rule for a port, if it still is as we added it."""
    rules = (rule for rule in found.family(family) if rule.ours and rule.action == "allow")
    return next((rule for rule in rules if rule.exactly(port, "tcp") and rule.protocol == "tcp"), None)


def _families(found: Filter) -> Sequence[int]:
    return FAMILIES if found.ipv6 else FAMILIES[:1]


def _rule(family: int, port: int) -> list[str]:
    return ["allow", "to", ANYWHERE[family], "port", str(port), "proto", "tcp"]


def _count(rules: Iterable[Rule]) -> int:
    return len({rule.number for rule in rules})
