"""Whether each peer has its reservations."""

from __future__ import annotations

from collections.abc import Iterator

from operations.doctor.facts import Host, RelayLink
from operations.doctor.findings import Finding
from operations.doctor.pair import Pair, addresses, find, link

_RESERVED, _CONNECTED = "reserved", "connected"
_REMEDIES = {
    "expected peer": "Another node answers there, or the relay has a new key: deploy again, and the id follows.",
    "PERMISSION_DENIED": "Deploy again, so that the relay's allow list has this peer.",
    "RESERVATION_REFUSED": "The relay has no room: raise kaspa_relay_max_reservations and deploy again.",
    "RESOURCE_LIMIT_EXCEEDED": "The relay has no room: raise its limits (roles/kaspa_relay) and deploy again.",
}


def examine(pair: Pair) -> Iterator[Finding]:
    """Reservations, as the peer and the relay have them."""
    settings = pair.dialed.settings
    if settings is not None and not settings.reserve:
        yield Finding(
            "not-reserving",
            frozenset({pair.dialed.name, *(relay.name for relay in pair.relays)}),
            f"{pair.dialed.name} has reservations switched off, so no peer can dial it",
            "`reserve` is false in its settings",
            "Remove `reserve` (KASPA_NODE_RESERVE) from its settings.",
        )
    for host in pair.peers:
        for relay in pair.relays:
            if any(find(pair.facts, address) is relay for address in addresses(host)):
                yield from _reservation(host, relay, link(host, relay))


def _reservation(host: Host, relay: Host, held: RelayLink | None) -> Iterator[Finding]:
    about = frozenset({host.name, relay.name})
    wanted = host.settings is None or host.settings.reserve
    if held is None:
        return
    if held.state == _RESERVED:
        books = relay.status
        if books is not None and host.peer_id not in books.reserved:
            text = f"{host.name} counts on a reservation that {relay.name} does not have"
            evidence = f"{host.name} says reserved, the relay's books don't have it"
            remedy = f"It is noticed at its next renewal; at once by: fab restart --host {host.name}"
            yield Finding("reservation-missing", about, text, evidence, remedy)
    elif wanted or held.state != _CONNECTED:
        reason = held.reason or "no answer yet"
        what = "reservation on" if wanted else "connection to"
        by_status = (each for status, each in _REMEDIES.items() if status in reason)
        yield Finding(
            "reservation-missing",
            about,
            f"{host.name} has no {what} {relay.name}",
            f"state {held.state}: {reason}",
            next(by_status, f"It tries again by itself, after a minute at most; see: fab logs --host {host.name}"),
        )
