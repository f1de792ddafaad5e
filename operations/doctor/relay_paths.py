"""Whether a peer can reach its relays: named correctly, reachable, not blocked by the firewall of the relay itself."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from kaspa_node.settings.values import RelayAddress
from operations.doctor.facts import OPEN, REFUSED, TIMEOUT, Facts, Host
from operations.doctor.findings import Finding
from operations.doctor.pair import Pair, addresses, find, link, place

_NO_RELAY = "is no libp2p relay"


def examine(pair: Pair) -> Iterator[Finding]:
    """What prevents the two from reaching their relays."""
    yield from _common(pair)
    for host in pair.peers:
        for address in addresses(host):
            yield from _to_relay(pair.facts, host, address)
    for relay in pair.relays:
        yield from _firewall(pair, relay)


def _common(pair: Pair) -> Iterator[Finding]:
    dialed, dialer = (host.settings for host in pair.peers)
    remedy = "Name the relay in kaspa_peer_relays of both, or leave it out for all relays, and deploy again."
    for host in pair.peers:
        if host.settings is not None and not addresses(host):
            text = f"{host.name} has no relay"
            yield Finding("relay-none", frozenset({host.name}), text, "its `relays` is empty", remedy)
    if dialed is None or dialer is None or not dialed.relays or not dialer.known_relays:
        return
    remote = dialer.remote(pair.dialed.name) or dialer.remote(pair.dialed.peer_id or "")
    used = remote.addrs if remote is not None else dialer.relays
    if not {_known_as(pair.facts, each) for each in used} & {_known_as(pair.facts, each) for each in dialed.relays}:
        about = frozenset({pair.dialer.name, pair.dialed.name})
        ours, theirs = (", ".join(place(each) for each in each_side) for each_side in (used, dialed.relays))
        text = f"{pair.dialer.name} dials through other relays than {pair.dialed.name} reserves on"
        yield Finding("relay-none", about, text, f"{pair.dialer.name}: {ours}; {pair.dialed.name}: {theirs}", remedy)


def _known_as(facts: Facts, address: RelayAddress) -> str:
    relay = find(facts, address)
    return relay.name if relay is not None else address.peer_id


def _to_relay(facts: Facts, host: Host, address: RelayAddress) -> Iterator[Finding]:
    at, relay = place(address), find(facts, address)
    outcome = facts.outcome(host.name, at)
    if outcome is None:
        return
    name = relay.name if relay is not None else address.peer_id
    about = frozenset({host.name, name})
    if relay is not None and relay.announced and at != relay.announced and outcome != OPEN:
        there = facts.outcome(host.name, relay.announced)
        yield Finding(
            "relay-address",
            about,
            f"{host.name} looks for {name} at {at}, and the inventory has it at {relay.announced}",
            f"TCP from {host.name}: {at} {said(outcome)}" + (f", {relay.announced} {said(there)}" if there else ""),
            f"Deploy again, so that {host.name} learns the address; look first for a setting that overrides it.",
        )
    if outcome == OPEN:
        yield from _stranger(host, relay, at, about)
        return
    elsewhere = ""
    if relay is not None and relay.addresses and address.host not in relay.addresses:
        elsewhere = f"; {name} itself has {', '.join(relay.addresses)}"
    yield Finding(
        "relay-unreachable",
        about,
        f"{host.name} can't connect to {name} at {at}",
        f"TCP from {host.name}: {said(outcome)}{elsewhere}",
        _remedy(outcome, name, address.port),
    )


def said(outcome: str) -> str:
    """An outcome as text."""
    return {OPEN: "is open", REFUSED: "was refused", TIMEOUT: "gave no answer"}.get(outcome, f"failed: {outcome}")


def _remedy(outcome: str, name: str, port: int) -> str:
    if outcome == REFUSED:
        return f"Nothing listens there: check that the relay on {name} runs, and on port {port}: fab status."
    if outcome == TIMEOUT:
        return f"Open {port}/tcp towards {name}: at its provider's firewall, in its own, and check the address."
    return (
        f"Check the address of {name} in the inventory, and the route from there. A filter of {name} that rejects "
        "looks the same: iptables -S INPUT and nft list ruleset there."
    )


def _stranger(host: Host, relay: Host | None, at: str, about: frozenset[str]) -> Iterator[Finding]:
    """Something answers there, but is not a relay."""
    seen = link(host, relay) if relay is not None else None
    if seen is not None and seen.reason is not None and _NO_RELAY in seen.reason:
        remedy = "Correct kaspa_relay_address or kaspa_relay_port, or stop what took the port, and deploy again."
        yield Finding("relay-address", about, f"what answers {host.name} at {at} is not a relay", seen.reason, remedy)


def _firewall(pair: Pair, relay: Host) -> Iterator[Finding]:
    wall = relay.firewall
    if wall is None or not (wall.shut or wall.partly):
        return
    entered = any(pair.facts.outcome(host.name, relay.announced) == OPEN for host in pair.peers)
    half = wall.family != 0 and (entered or _version(relay.announced) not in (0, wall.family))
    if entered and not half:
        return
    yield Finding(
        "relay-half-open" if half else "relay-firewall",
        frozenset({relay.name}),
        f"the firewall of {relay.name} "
        + ("blocks" if wall.shut else "lets only some connections in to")
        + f" the relay's port {relay.port}/tcp"
        + (f" by IPv{wall.family}" if wall.family else ""),
        wall.shut or wall.partly,
        _opened(relay.name, relay.port, others=wall.others),
    )


def _version(announced: str) -> int:
    """The IP version of a relay's address; 0 for a name, which peers may look up in either."""
    host = announced.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).version
    except ValueError:
        return 0


def _opened(name: str, port: int, *, others: bool) -> str:
    """How the port is opened. Deploy changes ufw alone, and puts its rule before wider ones that refuse."""
    if others:
        return f"On {name}, let {port}/tcp in before that rule, with the program that made it."
    return f"Deploy again, or on {name}: ufw prepend allow {port}/tcp."
