"""Reads how this host is connected: default routes, addresses, and the interface towards an address."""

from __future__ import annotations

import re

from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import output

_DEVICE = re.compile(r"\bdev (\S+)")


def routes() -> dict[int, str]:
    """By family, what `ip route show default` prints."""
    return {family: output(["ip", f"-{family}", "route", "show", "default"]) for family in (4, 6)}


def addresses() -> str:
    """The addresses of interfaces that are for more than one link, as `ip` prints them."""
    return output(["ip", "-o", "address", "show", "scope", "global"])


def towards(address: str) -> str:
    """The interface by which packets to an address leave, and those from there come in; "" if that is not known."""
    place, _, zone = address.partition("%")
    found = _DEVICE.search(output(["ip", "-o", "route", "get", place])) if place and not zone else None
    return found[1] if found else zone
