"""Where peers are told to dial the relays, and what is wrong with it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Networks that nobody outside is a member of.
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
    + ("::1/128", "fc00::/7", "fe80::/10")
)

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# The last label of a name is not a number: that is an IP address with a typing error.
_NAME = re.compile(rf"({_LABEL}\.)*(?![0-9]+\.?$){_LABEL}\.?")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Hostvars = Mapping[str, Mapping[str, Any]]


def kaspa_relay_names(relays: Sequence[str], hostvars: Hostvars) -> list[str]:
    """The names, as opposed to IP addresses, at which peers are told to dial these relays."""
    return sorted({dialed for relay in relays if _ip(dialed := _dialed_at(relay, hostvars)) is None})


def kaspa_relay_address_problems(relays: Sequence[str], hostvars: Hostvars) -> list[str]:
    """Relays whose address can't be dialed, or was not given and is private: `problem; remedy`."""
    found = []
    for relay in relays:
        variables = hostvars[relay]
        if "kaspa_relay_address" in variables and not _dialable(given := variables["kaspa_relay_address"]):
            found.append(
                f"the kaspa_relay_address of {relay} is {given!r}, which peers can't dial; write an IP address, as "
                "203.0.113.10 or 2001:db8::1, or a name, as relay.example.org"
            )
            continue
        dialed = _dialed_at(relay, hostvars)
        ip = _ip(dialed)
        if ip is not None and "kaspa_relay_address" not in hostvars[relay] and any(ip in each for each in _PRIVATE):
            found.append(
                f"peers would dial {relay} at {dialed}, the address that Ansible uses, which is private; set its "
                f"kaspa_relay_address to where peers reach it ({dialed} too, if all of them are in that network)"
            )
    return found


def kaspa_relay_name_problems(relays: Sequence[str], hostvars: Hostvars, host: str) -> list[str]:
    """Names of relays that the peer `host` can't dial, by what it has looked up: `problem; remedy`."""
    looked_up = hostvars[host]["ansible_facts"]["kaspa_host"]["resolved"]
    found = []
    for relay in relays:
        name = _dialed_at(relay, hostvars)
        if relay == host or name not in looked_up:
            continue
        ips = [ip for text in looked_up[name] if (ip := _ip(text)) is not None]
        remedy = f"set kaspa_relay_address of {relay} to its address, or to a name that every peer can look up"
        if not ips:
            found.append(f"the name {name} of the relay {relay} is not known here; {remedy}")
        elif all(ip.is_loopback for ip in ips):
            found.append(f"the name {name} of the relay {relay} means this host itself here; {remedy}")
    return found


def _dialed_at(relay: str, hostvars: Hostvars) -> str:
    """The default of kaspa_relay_address is that of the role kaspa_relay."""
    variables = hostvars[relay]
    return str(variables.get("kaspa_relay_address") or variables.get("ansible_host") or relay)


def _dialable(address: object) -> bool:
    """Whether it is an IP address of one host, or can be a name."""
    text = address if isinstance(address, str) else ""
    ip = _ip(text)
    if ip is None:
        return _NAME.fullmatch(text) is not None
    return not (ip.is_unspecified or ip.is_multicast or "%" in text)


def _ip(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


class FilterModule:
    """The interface of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → filter."""
        return {
            "kaspa_relay_names": kaspa_relay_names,
            "kaspa_relay_address_problems": kaspa_relay_address_problems,
            "kaspa_relay_name_problems": kaspa_relay_name_problems,
        }
