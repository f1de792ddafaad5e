"""Connections that come in and are not set up: counted by reason, logged in moderation."""

from __future__ import annotations

import pytest

from kaspa_node import reasons
from kaspa_node.journal import LOGGED_ONE_BY_ONE, THEN_EVERY
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.errors import (
    ConnectionLost,
    HandshakeTimeout,
    NegotiationError,
    NoiseError,
    NothingSaid,
    P2PError,
    WrongPeer,
)
from kaspa_node.p2p.failed_upgrades import FailedUpgrades
from kaspa_node.reasons import Reason
from tests.unit.kaspa.shells import RecordingJournal

STRANGER = SocketAddress("198.51.100.7", 50123)


@pytest.mark.parametrize(
    ("why", "code", "text"),
    [
        (ConnectionLost("the remote hung up"), reasons.HUNG_UP, "the remote hung up"),
        (NothingSaid("the remote hung up"), reasons.PORT_TESTED, str(Reason(reasons.PORT_TESTED))),
        (HandshakeTimeout("no secure channel"), reasons.HANDSHAKE_TIMEOUT, "no secure channel"),
        (NegotiationError("/tls"), reasons.NO_COMMON_PROTOCOL, "/tls"),
        (NoiseError("bad"), reasons.BAD_HANDSHAKE, "bad"),
        (WrongPeer("A", "B"), reasons.WRONG_PEER, "expected peer A, but B answered"),
        (reasons.DISPLACED, reasons.DISPLACED, "too many handshakes at a time"),
        (reasons.NO_PLACE, reasons.NO_PLACE, "too many connections"),
    ],
)
def test_each_is_counted_by_its_reason_and_named_with_its_address(why: P2PError | str, code: str, text: str) -> None:
    journal = RecordingJournal()
    failed = FailedUpgrades(journal)
    failed(STRANGER, why)
    assert failed.counts == {code: 1}
    assert journal.of("upgrade.failed") == {"addr": str(STRANGER), "reason": text, "code": code, "count": 1}


def test_a_scan_does_not_fill_the_log() -> None:
    journal = RecordingJournal()
    failed = FailedUpgrades(journal)
    for number in range(1000):
        failed(STRANGER, ConnectionLost("gone") if number % 2 else reasons.NO_PLACE)
    assert failed.counts == {reasons.HUNG_UP: 500, reasons.NO_PLACE: 500}
    counts = [fields["count"] for _, fields in journal.milestones]
    assert counts == [*range(1, LOGGED_ONE_BY_ONE + 1), *range(THEN_EVERY, 1001, THEN_EVERY)]
