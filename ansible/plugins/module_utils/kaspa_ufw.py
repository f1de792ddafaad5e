"""ufw's rules as data, and what they let in: the first rule that matches a connection decides, as in ufw.

The rules come from the `### tuple ###` lines of /etc/ufw/user.rules and user6.rules, because these say all of a rule,
in every language of the host, and also while the filter is off.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COMMENT = "kaspa-node"
"""The comment of each rule that deploy adds."""

FAMILIES = (4, 6)
ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}

EVERYWHERE, LIMITED, SOME, NOWHERE = "everywhere", "limited", "some", "nowhere"
"""From where a port can be reached: Access.origin."""

_TUPLE = re.compile(r"^### tuple ###\s+(?P<fields>.*?)(?: comment=(?P<comment>[0-9a-f]*))?\s*$", re.MULTILINE)
_SETTING = re.compile(r"^\s*(?P<name>[A-Z0-9_]+)=\"?(?P<value>[^\"\s#]*)\"?", re.MULTILINE)
_POLICIES = {"DROP": "deny", "REJECT": "reject", "ACCEPT": "allow"}


@dataclass(frozen=True)
class Rule:
    """A rule of ufw in one family.

    family: 4 or 6. number: as `ufw insert` counts in that family, from 1. action: `allow`, `limit`, `deny` or
    `reject`. protocol: `tcp`, `udp`, …, or `any`. ports, source_ports: `any`, a port, `FROM:TO`, or several with
    commas. to, source: networks. app, source_app: the profile that a port came from, or "". interface: of incoming
    packets, or "". direction: `in` or `out`. route: whether it is for forwarded packets.
    """

    family: int
    number: int
    action: str
    protocol: str
    ports: str
    to: str
    source_ports: str
    source: str
    app: str = ""
    source_app: str = ""
    interface: str = ""
    direction: str = "in"
    route: bool = False
    comment: str = ""

    @property
    def ours(self) -> bool:
        """Whether deploy added it, by its comment."""
        return self.comment == COMMENT

    @property
    def general(self) -> bool:
        """Whether it is for every source, interface and own address."""
        anywhere = ANYWHERE[self.family]
        return (self.to, self.source, self.source_ports, self.interface) == (anywhere, anywhere, "any", "")

    def covers(self, port: int, protocol: str) -> bool:
        """Whether it is for incoming connections to that port, from wherever."""
        if self.direction != "in" or self.route or self.protocol not in ("any", protocol):
            return False
        return self.ports == "any" or any(_within(port, span) for span in self.ports.split(","))

    def concerns(self, source: str = "", interface: str = "", to: str = "") -> bool | None:
        """Whether it is for connections from that address, in by that interface, to that address of the host.

        "" for what is not known; None if it depends on that.
        """
        answers = (
            _includes(self.source, source, self.family),
            _includes(self.to, to, self.family),
            _names(self.interface, interface),
            True if self.source_ports == "any" else None,
        )
        if False in answers:
            return False
        return None if None in answers else True

    def exactly(self, port: int, protocol: str) -> bool:
        """Whether it is for that one port, from everywhere: a rule that ufw replaces by a new one."""
        return self.general and self.covers(port, protocol) and self.ports == str(port)

    def text(self) -> str:
        """The rule as `ufw show added` prints it, without comment and logging."""
        route = "route " if self.route else ""
        start = f"ufw {route}{self.action}"
        if self.direction == "out":
            start += " out"
        what, source_what = _quoted(self.app), _quoted(self.source_app)
        if self.general:
            port = self.ports if self.protocol == "any" else f"{self.ports}/{self.protocol}"
            if what or self.ports != "any":
                return f"{start} {what or port}"
            return f"{start} from any" if self.protocol == "any" else f"{start} to any proto {self.protocol}"
        words = [f"in on {self.interface}"] if self.interface else []
        anywhere = ANYWHERE[self.family]
        if self.source != anywhere or self.source_ports != "any":
            words.append(f"from {'any' if self.source == anywhere else self.source}")
            if self.source_ports != "any":
                words.append(f"app {source_what}" if source_what else f"port {self.source_ports}")
        if self.to != anywhere or self.ports != "any":
            words.append(f"to {'any' if self.to == anywhere else self.to}")
            if self.ports != "any":
                words.append(f"app {what}" if what else f"port {self.ports}")
        if self.protocol != "any" and not what and not source_what:
            words.append(f"proto {self.protocol}")
        return " ".join([start, *words])


@dataclass(frozen=True)
class Access:
    """Whether connections to a port get in.

    origin: EVERYWHERE; LIMITED, if ufw refuses the sixth connection of an address within 30 s; SOME, if rules for some
    sources, interfaces or own addresses let it in and everybody else is refused; NOWHERE.
    rule: the rule that decides for everybody else, None if that is the default policy (or no filter).
    exceptions: the rules before it that decide differently for some.
    """

    origin: str
    rule: Rule | None = None
    exceptions: tuple[Rule, ...] = ()

    @property
    def reason(self) -> str:
        """The rules that let connections in, or that refuse them, as text."""
        rules = self.exceptions if self.origin == SOME else (self.rule,) if self.rule else ()
        return ", ".join(f"`{rule.text()}`" for rule in rules) or "the default policy"


@dataclass(frozen=True)
class Filter:
    """ufw on a host.

    active: whether it filters. incoming, routed: the default policies, `deny`, `reject` or `allow`. ipv6: whether it
    has rules for IPv6; without them an active filter refuses all of IPv6. rules: in their order, IPv4 first. enabled:
    whether it is on after a reboot; then it is on by the owner's word, also if somebody has flushed its rules since.
    """

    active: bool
    incoming: str
    routed: str
    ipv6: bool
    rules: tuple[Rule, ...] = ()
    enabled: bool = False

    @property
    def refuses(self) -> bool:
        """Whether it refuses what no rule lets in."""
        return self.active and self.incoming != "allow"

    def family(self, family: int) -> list[Rule]:
        """The rules of one family."""
        return [rule for rule in self.rules if rule.family == family]

    def access(
        self,
        port: int,
        protocol: str = "tcp",
        family: int = 4,
        *,
        source: str = "",
        interface: str = "",
        to: str = "",
        on: bool | None = None,
    ) -> Access:
        """From where a port can be reached.

        source, interface, to: if given, the answer is for connections from that address, in by that interface, to that
        address of the host only; SOME if it depends on more than that. on: whether to take the filter as active; by
        default as it is.
        """
        if not (self.active if on is None else on):
            return Access(EVERYWHERE)
        if family == 6 and not self.ipv6:
            return Access(NOWHERE)
        partial: list[Rule] = []
        for rule in self.family(family):
            concerned = rule.covers(port, protocol) and rule.concerns(source, interface, to)
            if concerned:
                return _decided(rule.action, rule, partial)
            if concerned is None:
                partial.append(rule)
        return _decided(self.incoming, None, partial)


def _decided(action: str, rule: Rule | None, partial: Sequence[Rule]) -> Access:
    """What an action for everybody else means, after rules for some."""
    lets_in = [each for each in partial if each.action in ("allow", "limit")]
    refuses = [each for each in partial if each.action in ("deny", "reject")]
    if action == "allow":
        return Access(EVERYWHERE, rule, tuple(refuses))
    if action == "limit":
        return Access(LIMITED, rule, tuple(partial))
    return Access(SOME, rule, tuple(lets_in)) if lets_in else Access(NOWHERE, rule)


def _includes(network: str, address: str, family: int) -> bool | None:
    if network == ANYWHERE[family]:
        return True
    if not address:
        return None
    return ipaddress.ip_address(address.partition("%")[0]) in ipaddress.ip_network(network, strict=False)


def _names(pattern: str, interface: str) -> bool | None:
    """Whether a rule's interface, which may end with `+`, is that one."""
    if not pattern:
        return True
    if not interface:
        return None
    return interface.startswith(pattern[:-1]) if pattern.endswith("+") else interface == pattern


def _quoted(profile: str) -> str:
    return f"'{profile}'" if " " in profile else profile


def _within(port: int, span: str) -> bool:
    first, _, last = span.partition(":")
    return int(first) <= port <= int(last or first)


def parse(active: bool, defaults: str, rules4: str, rules6: str, boot: str = "") -> Filter:
    """The filter from /etc/default/ufw, the two files of rules, and ufw.conf; active: what `ufw status` says."""
    settings = {match["name"]: match["value"] for match in _SETTING.finditer(defaults)}
    ipv6 = settings.get("IPV6", "no").lower() == "yes"
    rules = parse_rules(rules4, 4) + (parse_rules(rules6, 6) if ipv6 else [])
    return Filter(
        active,
        _POLICIES.get(settings.get("DEFAULT_INPUT_POLICY", ""), "deny"),
        _POLICIES.get(settings.get("DEFAULT_FORWARD_POLICY", ""), "deny"),
        ipv6,
        tuple(rules),
        any(match["value"].lower() == "yes" for match in _SETTING.finditer(boot) if match["name"] == "ENABLED"),
    )


def counted(lines: str) -> int:
    """The rules for incoming packets, in a file of ufw's or as iptables and ip6tables print them."""
    return sum(line.startswith(("-A ufw-user-input ", "-A ufw6-user-input ")) for line in lines.splitlines())


def parse_rules(text: str, family: int) -> list[Rule]:
    """The rules of a file in their order. Lines that ufw itself skips as malformed are left out."""
    rules: list[Rule] = []
    numbers: dict[tuple[object, ...], int] = {}
    for place, match in enumerate(_TUPLE.finditer(text)):
        fields = match["fields"].split()
        if not 6 <= len(fields) <= 9:
            continue
        found = _fields(fields)
        # A profile of several protocols has a line for each, and counts as one rule.
        profile = (found["app"], found["source_app"])
        counted = (*profile, found["to"], found["source"], *fields[8:]) if any(profile) else (place,)
        number = numbers.setdefault(counted, len(numbers) + 1)
        comment = bytes.fromhex(match["comment"] or "").decode("utf-8", errors="replace")
        rules.append(Rule(family, number, comment=comment, **found))
    return rules


def _fields(fields: Sequence[str]) -> dict[str, Any]:
    """action protocol ports to source_ports source [app source_app] [direction], as ufw writes them."""
    action, protocol, ports, to, source_ports, source = fields[:6]
    app, source_app = fields[6:8] if len(fields) >= 8 else ("-", "-")
    placed = fields[-1] if len(fields) in (7, 9) else "in"
    incoming = re.search(r"(?:^|!)in_([^!]+)", placed)
    route, _, action = action.rpartition(":")
    return {
        "action": action.partition("_")[0],
        "protocol": protocol,
        "ports": ports,
        "to": to,
        "source_ports": source_ports,
        "source": source,
        "app": "" if app == "-" else app.replace("%20", " "),
        "source_app": "" if source_app == "-" else source_app.replace("%20", " "),
        "interface": incoming[1] if incoming else "",
        "direction": "out" if placed.startswith("out") else "in",
        "route": route == "route",
    }
