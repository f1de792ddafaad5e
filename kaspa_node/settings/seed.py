"""The variables of the programs of the first proof of concept, read in the same way.

LIBP2P_LISTEN_MULTIADDRS may hold `…/p2p-circuit` entries: these name relays to reserve on, in addition to those of
LIBP2P_RELAY_MULTIADDRS. LIBP2P_REMOTE_PEER_ID and LIBP2P_REMOTE_MULTIADDRS name the one peer to dial; the id may also
be at the end of the addresses. The singular of each list's name works too.
"""

from __future__ import annotations

from collections.abc import Mapping

from kaspa_node.errors import ConfigError
from kaspa_node.milestones import PEER
from kaspa_node.settings.addresses import EXPECT_PEER_ID, BadValue, is_circuit, parse_circuit
from kaspa_node.settings.kinds import split_list

LISTEN = ("LIBP2P_LISTEN_MULTIADDRS", "LIBP2P_LISTEN_MULTIADDR")
RELAY = ("LIBP2P_RELAY_MULTIADDRS", "LIBP2P_RELAY_MULTIADDR")
REMOTE = ("LIBP2P_REMOTE_MULTIADDRS", "LIBP2P_REMOTE_MULTIADDR")
REMOTE_ID = "LIBP2P_REMOTE_PEER_ID"


def read(role: str, environ: Mapping[str, str]) -> dict[str, tuple[object, str]]:
    """Key → (value as TOML would hold it, variable); raises ConfigError. A relay has only listen addresses."""
    found: dict[str, tuple[object, str]] = {}
    listen, listen_origin = _list(environ, LISTEN)
    plain = [entry for entry in listen if not is_circuit(entry)]
    circuits = [entry for entry in listen if is_circuit(entry)]
    if role != PEER:
        if listen:
            found["listen"] = listen, listen_origin
        return found
    if plain:
        found["listen"] = plain, listen_origin
    relays, relay_origin = _list(environ, RELAY)
    if relays or circuits:
        origin = " and ".join(o for o, entries in ((listen_origin, circuits), (relay_origin, relays)) if entries)
        found["relays"] = _merged(circuits, listen_origin, relays, relay_origin), origin
    remote = _remote(environ)
    if remote is not None:
        found["remotes"] = remote
    return found


def _list(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[list[str], str]:
    name = next((name for name in names if environ.get(name, "").strip()), names[0])
    return split_list(environ.get(name, "")), name


def _merged(circuits: list[str], circuit_origin: str, relays: list[str], relay_origin: str) -> list[str]:
    """Both lists as one, each relay once: the first proof of concept names its relay in both, so this is no error."""
    named = {_relay_addr(entry, relay_origin): entry for entry in relays}
    extra = [entry for entry in circuits if _relay_addr(entry, circuit_origin) not in named]
    return relays + extra


def _relay_addr(entry: str, origin: str) -> str:
    try:
        return parse_circuit(entry)[0].addr
    except BadValue as error:
        raise ConfigError("relays", error.value, origin, error.problem, error.expected) from error


def _remote(environ: Mapping[str, str]) -> tuple[object, str] | None:
    addrs, origin = _list(environ, REMOTE)
    peer_id = environ.get(REMOTE_ID, "").strip()
    if not addrs and not peer_id:
        return None
    try:
        targets = {target for _, target in map(parse_circuit, addrs)}
    except BadValue as error:
        raise ConfigError("remotes", error.value, origin, error.problem, error.expected) from error
    if peer_id:
        return [{"peer_id": peer_id, "addrs": addrs}], f"{REMOTE_ID} and {origin}" if addrs else REMOTE_ID
    if len(targets) != 1 or None in targets:
        problem = "does not say which peer to dial"
        raise ConfigError("remotes", ",".join(addrs), origin, problem, f"{REMOTE_ID} with {EXPECT_PEER_ID}")
    return [{"peer_id": targets.pop(), "addrs": addrs}], origin
