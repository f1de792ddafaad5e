"""What a node can be told of itself."""

from __future__ import annotations

from typing import Any

import pytest

from kaspa_node import __version__, networks
from kaspa_node.kaspa.config import KaspaConfig, Transport


def test_defaults_are_those_of_a_current_mainnet_peer() -> None:
    config = KaspaConfig()
    settings = config.handshake()
    assert settings.network == "kaspa-mainnet"
    assert settings.protocol_version == networks.PROTOCOL_VERSION
    assert settings.minimum_protocol_version == 5
    assert settings.user_agent == f"/kaspa-node:{__version__}/"
    assert (settings.version_timeout, settings.ready_timeout) == (8.0, 12.0)
    assert config.ping_interval == 120.0


def test_each_node_has_an_id_of_its_own() -> None:
    assert len(KaspaConfig().node_id) == 16
    assert KaspaConfig().node_id != KaspaConfig().node_id


def test_nonces_differ() -> None:
    config = KaspaConfig()
    assert config.nonce() != config.nonce()
    assert 0 <= config.nonce() < 2**64


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"node_id": b"x"}, "node_id has 1 bytes; expected 16"),
        ({"user_agent": "x" * 257}, "user_agent is longer than 256 bytes"),
        ({"minimum_protocol_version": 12}, "minimum_protocol_version 12 is above protocol_version 11"),
        ({"ping_interval": 0}, "ping_interval is 0; expected more than 0"),
        ({"max_inbound": -1}, "max_inbound is -1; expected more than 0"),
    ],
)
def test_values_that_can_not_be_used_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KaspaConfig(**values)


def test_the_network_goes_out_by_its_wire_name() -> None:
    assert KaspaConfig(network=networks.SIMNET).handshake().network == "kaspa-simnet"


def test_the_host_of_a_carrier_is_its_address_without_port() -> None:
    assert Transport("s", "p", "direct", "outgoing", "[fdff::7]:40000").host == "fdff::7"
