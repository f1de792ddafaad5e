"""Files that are meant to be shared have placeholders instead of addresses, as the first proof of concept had.

Known addresses become `<RELAY_IP>`, `<HOME_IP>` (the server's NAT), `<CLIENT_VPS_IP>` (the client's) and
`<…_LAN_IP>`; any other address becomes `<OTHER_IP_n>`, the same number for the same address. Loopback and unspecified
addresses identify nobody and stay. The synthetic addresses of peers stay too, because they come from peer ids.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable

from kaspa_node import milestones as m
from kaspa_node.evidence.bundle import Run
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.endpoints import canonical_ip
from kaspa_node.evidence.snapshot import Snapshot

_IPV4 = re.compile(r"(?<![0-9])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9])")
_IPV6 = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_SYNTHETIC = ipaddress.ip_network("fd00::/8")


def printable(text: str) -> str:
    """The text with escapes for characters that a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def mapped(value: object, change: Callable[[str], str]) -> object:
    """A JSON value with every text in it changed, the names of fields included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(str(key)): mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(item, change) for item in value]
    return value


class Redactor:
    """Replaces addresses in texts; it always uses the same placeholder for an address."""

    def __init__(self, names: dict[str, str], kept: Iterable[str] = ()) -> None:
        """names: placeholder by canonical address. kept: canonical addresses that stay as they are."""
        self._names = dict(names)
        self._kept = frozenset(kept) - names.keys()
        self._others = 0

    def text(self, text: str) -> str:
        """The text without addresses, and printable."""
        return _IPV4.sub(self._ipv4, _IPV6.sub(self._ipv6, printable(text)))

    def _ipv4(self, match: re.Match[str]) -> str:
        # A text that is almost an address (300.1.1.1, a leading zero) is redacted too: better than a leak.
        return self._name(canonical_ip(match[0]) or match[0], match[0])

    def _ipv6(self, match: re.Match[str]) -> str:
        token = match[0]
        for start, end in ((0, 0), (0, 1), (1, 0), (1, 1)):
            body = token[start : len(token) - end]
            if body and canonical_ip(body) is not None:
                return token[:start] + self._name(canonical_ip(body) or "", body) + token[len(token) - end :]
        return token

    def _name(self, ip: str, text: str) -> str:
        if ip in self._kept or _says_nothing(ip):
            return text
        if ip not in self._names:
            self._others += 1
            self._names[ip] = f"<OTHER_IP_{self._others}>"
        return self._names[ip]


def _says_nothing(ip: str) -> bool:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def legend(run: Run) -> dict[str, str]:
    """What each placeholder means, in the order of the hosts. Names of hosts are not redacted yet."""
    relay, server, client = (host.name for host in run.hosts)
    return {
        "<RELAY_IP>": f"the address of {relay} as the peers see it",
        "<RELAY_LAN_IP>": f"an address of {relay} itself, behind its NAT",
        "<HOME_IP>": f"the address of {server} as {relay} sees it",
        "<SERVER_LAN_IP>": f"an address of {server} itself",
        "<CLIENT_VPS_IP>": f"the address of {client} as {relay} sees it",
        "<CLIENT_LAN_IP>": f"an address of {client} itself",
        "<OTHER_IP_n>": "any other address, the same number for the same address",
    }


def redactor_for(case: Case) -> Redactor:
    """The redactor of a run: its names come from the inventory, the relay's observations and the journals."""
    names: dict[str, str] = {}
    run = case.run
    public = {run.relay.name: "RELAY_IP", run.server.name: "HOME_IP", run.client.name: "CLIENT_VPS_IP"}
    for host in run.hosts:
        label = public[host.name]
        for ip in (host.public, *_observed(case, host.peer_id)):
            _add(names, ip, f"<{label}>")
        lan = "RELAY_LAN_IP" if host is run.relay else f"{'SERVER' if host is run.server else 'CLIENT'}_LAN_IP"
        behind = host is not run.relay or host.public is not None
        for ip in host.addresses:
            _add(names, ip, f"<{lan if behind else label}>")
    return Redactor(names, _synthetic(case, run))


def _add(names: dict[str, str], ip: str | None, label: str) -> None:
    canonical = canonical_ip(ip) if ip is not None else None
    if canonical is not None and not _says_nothing(canonical):
        names.setdefault(canonical, label)


def _observed(case: Case, peer_id: str | None) -> list[str]:
    found = []
    for label in ("before", "after"):
        snapshot = dict(case.snapshots(case.run.relay))[label]
        if isinstance(snapshot, Snapshot) and snapshot.status is not None:
            seen = (*snapshot.status.reservations, *snapshot.status.connections)
            found += [entry.observed.ip for entry in seen if entry.peer_id == peer_id and entry.observed]
    return found


def _synthetic(case: Case, run: Run) -> set[str]:
    kept = set()
    for host in (run.server, run.client):
        for line in case.lines(host):
            if line.milestone is m.ADDRESS_SYNTHESIZED:
                text = line.fields.get("addr", "").removeprefix("[").partition("]")[0]
                ip = canonical_ip(text)
                if ip is not None and ipaddress.ip_address(ip) in _SYNTHETIC:
                    kept.add(ip)
    return kept
