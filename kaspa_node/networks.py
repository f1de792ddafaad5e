"""Kaspa's networks and protocol versions: what the settings offer and what the Kaspa layer speaks.

Below both of them, so that each fact has one place.
"""

from __future__ import annotations

from dataclasses import dataclass

PROTOCOL_VERSION = 11
"""What a node advertises by default: the version of kaspad 2.1.0 (kaspa-p2p-flows 2.1.0)."""

MINIMUM_PROTOCOL_VERSION = 5
"""The lowest version that a node accepts by default: that of the published programs of kaspa-p2p-lib 0.15.

kaspad 2.1.0 itself accepts only 10 and higher.
"""


@dataclass(frozen=True, slots=True)
class Network:
    """One network. name: as in configuration; wire_name: as in Version; p2p_port: kaspad's default TCP port."""

    name: str
    wire_name: str
    p2p_port: int

    def __str__(self) -> str:
        return self.name


MAINNET = Network("mainnet", "kaspa-mainnet", 16111)
TESTNET_10 = Network("testnet-10", "kaspa-testnet-10", 16211)
SIMNET = Network("simnet", "kaspa-simnet", 16511)
DEVNET = Network("devnet", "kaspa-devnet", 16611)

ALL: tuple[Network, ...] = (MAINNET, TESTNET_10, SIMNET, DEVNET)

_BY_NAME = {name: network for network in ALL for name in (network.name, network.wire_name)}


def named(name: str) -> Network:
    """The network of that name, short or as on the wire; ValueError names the choices."""
    network = _BY_NAME.get(name)
    if network is None:
        raise ValueError(f"unknown network {name!r}; expected one of {', '.join(n.name for n in ALL)}")
    return network
