"""What is said of a relay that can't be dialed."""

from __future__ import annotations

import pytest

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.errors import ConnectionLost, DialError, P2PError, ProtocolError, WrongPeer
from kaspa_node.p2p.reservation.dialing import failure
from kaspa_node.settings.addresses import parse_relay
from tests.unit.p2p.parties import peer_id

ONE, TWO = SocketAddress("192.0.2.1", 4011), SocketAddress("192.0.2.2", 4011)
BY_ADDRESS = parse_relay(f"/ip4/192.0.2.1/tcp/4011/p2p/{peer_id(9)}")
BY_NAME = parse_relay(f"/dns4/relay.example/tcp/4011/p2p/{peer_id(9)}")

REFUSED = DialError("Connection refused", ONE)
SILENT = DialError("no answer within 10 s", TWO)
OTHER = WrongPeer("A", "B")
WEB = ProtocolError("it is something else")
HUNG_UP = ConnectionLost("the remote hung up during the handshake")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (REFUSED, "192.0.2.1:4011: Connection refused"),
        (HUNG_UP, "192.0.2.1:4011: the remote hung up during the handshake"),
        (OTHER, f"expected peer A, but B answered; correct the peer id of {BY_ADDRESS} in `relays`"),
        (
            WEB,
            "what answers at 192.0.2.1:4011 is no libp2p relay: it is something else; "
            f"correct the address of {BY_ADDRESS} in `relays`",
        ),
    ],
)
def test_one_address(error: P2PError, text: str) -> None:
    assert str(failure(BY_ADDRESS, [(ONE, error)])) == text


@pytest.mark.parametrize(
    ("errors", "text"),
    [
        ([REFUSED], "relay.example:4011: 192.0.2.1:4011: Connection refused"),
        ([OTHER], f"expected peer A, but B answered; correct the peer id of {BY_NAME} in `relays`"),
        (
            [REFUSED, SILENT],
            "relay.example:4011: 192.0.2.1:4011: Connection refused; 192.0.2.2:4011: no answer within 10 s",
        ),
        (
            [REFUSED, OTHER],
            "relay.example:4011: 192.0.2.1:4011: Connection refused; 192.0.2.2:4011: expected peer A, but B answered; "
            f"correct the peer id of {BY_NAME} in `relays`",
        ),
        (
            [WEB, SILENT],
            "relay.example:4011: what answers at 192.0.2.1:4011 is no libp2p relay: it is something else; "
            f"192.0.2.2:4011: no answer within 10 s; correct the address of {BY_NAME} in `relays`",
        ),
    ],
)
def test_each_address_of_a_name(errors: list[P2PError], text: str) -> None:
    assert str(failure(BY_NAME, list(zip([ONE, TWO], errors, strict=False)))) == text
