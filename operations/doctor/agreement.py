"""What must be the same on both peers, and what the inventory and the settings want."""

from __future__ import annotations

from collections.abc import Iterator

from kaspa_node.constants import DIRECT_ONLY, PREFER_DIRECT, RELAY_ONLY
from kaspa_node.settings.model import EXTERNAL
from operations.doctor.findings import Finding
from operations.doctor.pair import DIRECT, Pair


def examine(pair: Pair) -> Iterator[Finding]:
    """Network, protocol version, path policy, and whether one of the peers dials the other at all."""
    about = frozenset({pair.dialer.name, pair.dialed.name})
    if not any(host.settings is not None and host.settings.backend == EXTERNAL for host in pair.peers):
        yield from _networks(pair, about)
        yield from _versions(pair, about)
    dials = pair.dialer.dials
    if pair.dialed.name not in dials and pair.path != DIRECT:
        yield Finding(
            "not-dialed",
            about,
            f"neither of {pair.dialer.name} and {pair.dialed.name} dials the other",
            f"kaspa_peer_dials of {pair.dialer.name}: {', '.join(dials) or 'empty'}",
            f"Put {pair.dialed.name} into kaspa_peer_dials of {pair.dialer.name}, and deploy again.",
        )
    settings = pair.dialer.settings
    if settings is not None and settings.path_policy in (RELAY_ONLY, DIRECT_ONLY) and pair.path != DIRECT:
        wants = "never punches" if settings.path_policy == RELAY_ONLY else "accepts no relayed session"
        yield Finding(
            "policy",
            about,
            f"{pair.dialer.name} {wants}: its path policy is {settings.path_policy}",
            f"`path_policy` in the settings of {pair.dialer.name}",
            f"Set kaspa_peer_path_policy to {PREFER_DIRECT} and deploy again.",
        )


def _networks(pair: Pair, about: frozenset[str]) -> Iterator[Finding]:
    ours, theirs = pair.dialer.network, pair.dialed.network
    if ours and theirs and ours != theirs:
        yield Finding(
            "network-differs",
            about,
            f"{pair.dialer.name} and {pair.dialed.name} are on different Kaspa networks",
            f"{pair.dialer.name} is on {ours}, {pair.dialed.name} on {theirs}",
            "Set kaspa_peer_network to one value for both and deploy again.",
        )


def _versions(pair: Pair, about: frozenset[str]) -> Iterator[Finding]:
    for host in pair.peers:
        other = pair.other(host)
        if host.settings is None or other.settings is None:
            continue
        least, has = host.settings.minimum_protocol_version, other.settings.protocol_version
        if has < least:
            yield Finding(
                "protocol-differs",
                about,
                f"{other.name} speaks an older Kaspa protocol than {host.name} takes",
                f"{other.name} advertises version {has}, {host.name} wants {least} at least",
                f"Lower minimum_protocol_version on {host.name}, or raise protocol_version on {other.name}.",
            )
