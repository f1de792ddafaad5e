"""Names and ports of the networks."""

from __future__ import annotations

import pytest

from kaspa_node import networks


@pytest.mark.parametrize(
    ("name", "wire_name", "port"),
    [
        ("mainnet", "kaspa-mainnet", 16111),
        ("testnet-10", "kaspa-testnet-10", 16211),
        ("simnet", "kaspa-simnet", 16511),
        ("devnet", "kaspa-devnet", 16611),
    ],
)
def test_networks_by_either_name(name: str, wire_name: str, port: int) -> None:
    network = networks.named(name)
    assert (network.name, network.wire_name, network.p2p_port, str(network)) == (name, wire_name, port, name)
    assert networks.named(wire_name) is network


def test_an_unknown_name_names_the_choices() -> None:
    with pytest.raises(
        ValueError, match=r"unknown network 'main'; expected one of mainnet, testnet-10, simnet, devnet"
    ):
        networks.named("main")
