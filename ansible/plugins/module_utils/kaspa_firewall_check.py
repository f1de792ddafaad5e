"""What switching ufw on would cut on a host, and which other filters shut the node's port: decisions without IO."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_filters import (
    FIREWALLD,
    POLICY,
    Filters,
    Refusal,
)
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_listeners import Listener
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_rulesets import Replacer
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_ufw import NOWHERE, Filter

FORWARDING = "forwarding"
"""The word in kaspa_firewall_keep for packets that the host forwards."""

PORT = re.compile(r"(?P<port>[0-9]{1,5})/(?P<protocol>tcp|udp)")

# What ufw's own rules for every host let in (/etc/ufw/before.rules): answers to DHCP, and UPnP.
_ALWAYS = {("udp", 68), ("udp", 546), ("udp", 1900)}
# Names of the LAN, by multicast: ufw lets mDNS in, and nobody across the Internet asks by LLMNR. Other programs use the
# same ports for other services.
_LAN_NAMES = {("udp", 5353), ("udp", 5355), ("tcp", 5355)}
_LAN_NAMERS = ("avahi-daemon.service", "systemd-resolved.service")
# They ask from ports that the kernel chose, with sockets that look like those of servers. Most programs connect such a
# socket, so it is not among the listening ones.
_ASKING = ("avahi-daemon.service", "systemd-timesyncd.service")
_UNKNOWN = Filter(active=False, incoming="deny", routed="deny", ipv6=True)


@dataclass(frozen=True)
class Host:
    """ufw: None if it is not installed. interfaces: those between which the host forwards packets, none if it does not.

    chosen: the ports from which the kernel chooses one if a program asks for any. replacers: what replaces all rules.
    """

    ufw: Filter | None
    filters: Filters
    listeners: Sequence[Listener] = ()
    interfaces: Sequence[str] = ()
    chosen: range = range(32768, 61000)
    replacers: Sequence[Replacer] = ()

    @property
    def filtered(self) -> bool:
        """Whether ufw filters already."""
        return self.ufw is not None and self.ufw.refuses


@dataclass(frozen=True)
class Wanted:
    """ports: TCP ports of the node. ssh: those of SSH. keep, cut: kaspa_firewall_keep and kaspa_firewall_cut.

    listening: the addresses that the node listens on. enabled: whether deploy configures ufw. public: whether the
    node's port must be reached by strangers, as a relay's.
    """

    ports: Sequence[int]
    ssh: Collection[int] = ()
    keep: Sequence[str] = ()
    cut: bool = False
    listening: Sequence[str] = ()
    enabled: bool = True
    public: bool = False


def problems(host: Host, wanted: Wanted) -> list[str]:
    """Why the firewall should not be touched, or would not help: `problem; remedy`."""
    if not wanted.enabled:
        return [*_shut(host, wanted), *_without_ipv6(host, wanted)] if wanted.public else []
    if not wanted.ports:
        return ["kaspa_firewall_ports is empty; name the node's port there, or set kaspa_firewall_enabled: false"]
    wrong = [each for each in wanted.keep if each != FORWARDING and not _is_port(each)]
    if wrong:
        return [f"kaspa_firewall_keep has {wrong[0]!r}; its entries are ports such as 443/tcp, and `{FORWARDING}`"]
    found = _rivals(host, wanted) or _without_ipv6(host, wanted)
    if found or host.filtered:
        return found
    lost = [] if wanted.cut else [each for each in cut(host, wanted) if each.word not in wanted.keep]
    if not lost:
        return []
    words = ", ".join(dict.fromkeys(each.word for each in lost))
    what = ", ".join(dict.fromkeys(each.text for each in lost))
    return [
        f"deploy switches ufw on, which would cut {what}; set kaspa_firewall_keep: [{words}] for what has to stay, "
        "kaspa_firewall_cut: true for the rest, or kaspa_firewall_enabled: false"
    ]


def _is_port(entry: str) -> bool:
    match = PORT.fullmatch(entry)
    return match is not None and 0 < int(match["port"]) < 1 << 16


def ports_of(keep: Iterable[str]) -> list[tuple[int, str]]:
    """The ports of kaspa_firewall_keep, with their protocols."""
    found = (PORT.fullmatch(each) for each in keep)
    return [(int(match["port"]), match["protocol"]) for match in found if match]


@dataclass(frozen=True)
class Loss:
    """What would be cut: text for people, and its word in kaspa_firewall_keep."""

    text: str
    word: str


def cut(host: Host, wanted: Wanted) -> list[Loss]:
    """What a filter that lets only SSH, the node and its present rules in would cut."""
    after = replace(host.ufw or _UNKNOWN, active=True, incoming="deny")
    found = [
        Loss(f"{each.owner} at {each.port}/{each.protocol}", f"{each.port}/{each.protocol}")
        for each in sorted(host.listeners)
        if not (each.local or each.protocol == "tcp" and each.port in {*wanted.ports, *wanted.ssh})
        and not _needs_no_rule(each, host.chosen)
        and any(_by_default(after, each, family) for family in each.families)
    ]
    if after.routed != "allow":
        interfaces = [name for name in host.interfaces if name not in host.filters.interfaces()]
        found += [Loss(f"forwarding for {', '.join(interfaces)}", FORWARDING)] if interfaces else []
    return found


def _needs_no_rule(each: Listener, chosen: range) -> bool:
    """Whether it works behind ufw without a rule, or serves nobody."""
    place = (each.protocol, each.port)
    if place in _ALWAYS or (place in _LAN_NAMES and each.owner in _LAN_NAMERS):
        return True
    return each.protocol == "udp" and each.port in chosen and each.owner in _ASKING


def _by_default(after: Filter, listener: Listener, family: int) -> bool:
    """Whether no rule lets the listener's clients in, nor refuses them by the owner's word."""
    access = after.access(listener.port, listener.protocol, family)
    return access.origin == NOWHERE and access.rule is None


def _rivals(host: Host, wanted: Wanted) -> list[str]:
    """Filters beside ufw: deploy replaces none of them, and two filters together shut what either shuts."""
    port = wanted.ports[0]
    off = "and set kaspa_firewall_enabled: false"
    others = host.filters
    if others.firewalld:
        return [f"firewalld filters this host; open the port there ({_zone(port)}) {off}"]
    if others.persistent and not host.filtered:
        return [
            f"{others.persistent[0]} is installed, which ufw can't be together with, so apt would remove it; open the "
            f"port in its rules ({_insert(port)} && netfilter-persistent save) {off}"
        ]
    if host.replacers:
        return [
            f"{each}, so ufw's would be lost; put its rules into ufw and {each.remedy}, or let "
            f"{port}/tcp in there {off}"
            for each in host.replacers
        ]
    found = []
    for each in wanted.ports:
        for refusal in others.refusals(each, ufw=True, listening=wanted.listening):
            first = "and ufw would replace it" if refusal.rule == POLICY else "before ufw is asked"
            start = f"{_who(refusal)} refuses {each}/tcp{_by(refusal.families, host, wanted)} {first}"
            found.append(f"{start}; {_remedy(refusal, each)} {off}{_instead(refusal.families, host, wanted)}")
    return found


def _without_ipv6(host: Host, wanted: Wanted) -> list[str]:
    """A filter that is on and has no rules for IPv6 refuses all of it."""
    if host.ufw is None or host.ufw.ipv6 or 6 not in host.filters.families():
        return []
    if not (wanted.enabled or host.ufw.active):
        return []
    setting = "IPV6=no in /etc/default/ufw"
    if 6 in host.filters.families(wanted.listening):
        return [
            f"{setting} makes ufw refuse all of IPv6, and peers try {wanted.ports[0]}/tcp by both IP versions; set "
            f"IPV6=yes there (then ufw reload){_instead((6,), host, wanted)}"
        ]
    if host.ufw.refuses or wanted.cut:
        return []
    return [
        f"deploy switches ufw on, which would cut all of IPv6 ({setting}); set IPV6=yes there, kaspa_firewall_cut: "
        "true, or kaspa_firewall_enabled: false"
    ]


def _shut(host: Host, wanted: Wanted) -> list[str]:
    """Why the node's port can't be reached, on a host whose firewall deploy leaves alone."""
    found = []
    for port in wanted.ports:
        refusals = host.filters.refusals(port, ufw=host.ufw is not None and host.ufw.active, listening=wanted.listening)
        found += [
            (f"{_who(each)} refuses {port}/tcp{_by(each.families, host, wanted)}", _remedy(each, port), each.families)
            for each in refusals
        ]
        if not refusals:
            found += _shut_by_ufw(host, wanted, port)
    return [
        f"{what}; {remedy} (kaspa_firewall_enabled is false, so deploy does not){_instead(families, host, wanted)}"
        for what, remedy, families in found
    ]


def _shut_by_ufw(host: Host, wanted: Wanted, port: int) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """What, remedy, IP versions."""
    reasons: dict[str, tuple[int, ...]] = {}
    for family in host.filters.families(wanted.listening):
        if host.ufw is None or (family == 6 and not host.ufw.ipv6):
            continue
        interface, to = host.filters.uplink(family)
        access = host.ufw.access(port, family=family, interface=interface, to=to)
        if access.origin == NOWHERE:
            reasons[access.reason] = (*reasons.get(access.reason, ()), family)
    for reason, families in reasons.items():
        what = f"ufw refuses {port}/tcp{_by(families, host, wanted)} ({reason})"
        yield what, f"let it in: ufw allow {port}/tcp", families


def _by(families: Collection[int], host: Host, wanted: Wanted) -> str:
    """The IP version that is shut, if the other one is not."""
    judged = host.filters.families(wanted.listening)
    return "" if set(families) == set(judged) else f" by IPv{min(families)}"


def _instead(families: Collection[int], host: Host, wanted: Wanted) -> str:
    """What helps too, if IPv6 alone is shut."""
    if set(families) != {6} or 4 not in host.filters.families(wanted.listening):
        return ""
    return "; or set kaspa_node_listen_address: 0.0.0.0, so that the node uses IPv4 only"


def _who(refusal: Refusal) -> str:
    rule = f"`{refusal.rule}`" if refusal.rule.startswith("-A") else refusal.rule
    return f"{refusal.filter} ({rule})"


def _remedy(refusal: Refusal, port: int) -> str:
    name = refusal.filter
    if name in ("iptables", "ip6tables"):
        before = "" if refusal.rule == POLICY else " before that rule"
        return f"let it in{before} ({_insert(port, name)}, and save it as this system does)"
    if name == FIREWALLD:
        return f"open it there ({_zone(port)})"
    return f"let {port}/tcp in there"


def _insert(port: int, program: str = "iptables") -> str:
    return f"{program} -I INPUT -p tcp --dport {port} -j ACCEPT"


def _zone(port: int) -> str:
    return f"firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload"
