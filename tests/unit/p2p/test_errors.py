"""Errors of the p2p layer: values in attributes, one sentence as text."""

from __future__ import annotations

import pytest

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.errors import (
    ConnectionLost,
    DialError,
    ListenError,
    NoReservation,
    P2PError,
    PortBusy,
    RelayRefused,
    WrongPeer,
)

HERE = SocketAddress("192.0.2.1", 4011)
HERE6 = SocketAddress("2001:db8::1", 4011)


@pytest.mark.parametrize("kind", [DialError, PortBusy])
@pytest.mark.parametrize("address", [HERE, HERE6, None])
def test_a_dial_error_keeps_the_address_and_the_problem_apart(
    kind: type[DialError], address: SocketAddress | None
) -> None:
    error = kind("Connection refused", address)
    assert (error.address, error.problem) == (address, "Connection refused")
    assert str(error) == ("Connection refused" if address is None else f"{address}: Connection refused")


@pytest.mark.parametrize(
    ("remedy", "text"),
    [
        (None, "can't listen on 192.0.2.1:4011: the port is in use"),
        ("stop the other program", "can't listen on 192.0.2.1:4011: the port is in use; stop the other program"),
    ],
)
def test_a_listen_error_keeps_address_problem_and_remedy_apart(remedy: str | None, text: str) -> None:
    error = ListenError(HERE, "the port is in use", remedy)
    assert (error.address, error.problem, error.remedy) == (HERE, "the port is in use", remedy)
    assert str(error) == text


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("PERMISSION_DENIED", "the relay answered PERMISSION_DENIED (this peer is not on its allow list)"),
        ("MALFORMED_MESSAGE", "the relay answered MALFORMED_MESSAGE"),
    ],
)
def test_a_refusal_of_the_relay_says_what_its_status_means(status: str, text: str) -> None:
    error = RelayRefused(status)
    assert (error.status, str(error)) == (status, text)


@pytest.mark.parametrize(
    "error", [ConnectionLost("reset"), RelayRefused("PERMISSION_DENIED"), NoReservation(), WrongPeer("A", "B")]
)
def test_every_error_has_its_problem(error: P2PError) -> None:
    assert error.problem == str(error)
