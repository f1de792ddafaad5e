"""Version, Verack, Ready, and each way in which they don't come about."""

from __future__ import annotations

import math

import pytest

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.events import (
    Accepted,
    Event,
    HandshakeDone,
    ReadyReceived,
    Send,
    VerackReceived,
    VersionReceived,
    VersionSent,
)
from kaspa_node.kaspa.handshake import Handshake
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from kaspa_node.kaspa.protowire.p2p_pb2 import NetAddress
from tests.unit.kaspa.machines import NETWORK, OURS, THEIRS, handshake, sent, version


def started(**settings: object) -> Handshake:
    machine = handshake(**settings)
    list(machine.start(0.0))
    return machine


def refused(machine: Handshake, *incoming: KaspadMessage) -> tuple[list[Event], ProtocolError]:
    """What came out before the refusal, and the refusal."""
    events: list[Event] = []
    with pytest.raises(ProtocolError) as caught:  # noqa: PT012 (the events before the error matter)
        for message in incoming:
            for event in machine.receive(message, 1.0):
                events.append(event)
    return events, caught.value


def test_version_goes_out_at_once() -> None:
    events = list(handshake(protocol_version=11).start(5.0))
    assert events[0] == VersionSent(11, NETWORK)
    assert isinstance(events[1], Send)
    ours = events[1].message.version
    assert (ours.protocolVersion, ours.id, ours.userAgent, ours.network) == (11, OURS, "/ours/", NETWORK)
    assert ours.timestamp == 1_700_000_000_000
    assert ours.services == 0
    assert not ours.HasField("address")


def test_version_is_answered_by_verack_before_our_own_came() -> None:
    events = list(started().receive(version(), 1.0))
    assert events[0] == VersionReceived(10, 10, NETWORK, "/theirs/")
    assert sent(events) == ["verack"]


def test_ready_goes_out_when_version_and_verack_are_here() -> None:
    machine = started()
    list(machine.receive(version(), 1.0))
    events = list(machine.receive(messages.verack(), 1.0))
    assert events[:2] == [VerackReceived(), Accepted(THEIRS)]
    assert sent(events) == ["ready"]


def test_the_order_of_version_and_verack_does_not_matter() -> None:
    machine = started()
    assert sent(list(machine.receive(messages.verack(), 1.0))) == []
    assert sent(list(machine.receive(version(), 1.0))) == ["verack", "ready"]


def test_established_by_the_peers_ready() -> None:
    machine = started()
    list(machine.receive(version(protocolVersion=7), 1.0))
    list(machine.receive(messages.verack(), 1.0))
    events = list(machine.receive(messages.ready(), 2.0))
    assert events == [ReadyReceived(), HandshakeDone(THEIRS, 7, 7, "/theirs/", None)]
    assert machine.deadline == math.inf


def test_a_peer_that_is_ready_first_is_remembered() -> None:
    machine = started()
    list(machine.receive(version(), 1.0))
    assert list(machine.receive(messages.ready(), 1.0)) == [ReadyReceived()]
    events = list(machine.receive(messages.verack(), 1.0))
    assert sent(events) == ["ready"]
    assert isinstance(events[-1], HandshakeDone)


@pytest.mark.parametrize(("remote", "applied"), [(5, 5), (6, 6), (9, 9), (10, 10), (11, 10), (4_000_000_000, 10)])
def test_the_lower_protocol_version_is_applied(remote: int, applied: int) -> None:
    machine = started()
    incoming = (version(protocolVersion=remote), messages.verack(), messages.ready())
    events = [event for message in incoming for event in machine.receive(message, 1.0)]
    assert events[0] == VersionReceived(remote, applied, NETWORK, "/theirs/")
    assert isinstance(events[-1], HandshakeDone)
    assert (events[-1].protocol, events[-1].applied) == (remote, applied)


def test_the_peers_address_is_read() -> None:
    machine = started()
    incoming = (
        version(address=NetAddress(ip=bytes([8, 8, 4, 4]), port=16111)),
        messages.verack(),
        messages.ready(),
    )
    events = [event for message in incoming for event in machine.receive(message, 1.0)]
    assert isinstance(events[-1], HandshakeDone)
    assert str(events[-1].address) == "8.8.4.4:16111"


def test_old_protocol_version_is_refused_in_kaspads_words() -> None:
    machine = started(minimum_protocol_version=10)
    _, error = refused(machine, version(protocolVersion=9), messages.verack())
    assert error.reason == "P2P protocol version mismatch - local: 10, remote: 9"


def test_version_four_is_refused_by_default() -> None:
    _, error = refused(started(), version(protocolVersion=4), messages.verack())
    assert error.reason == "P2P protocol version mismatch - local: 10, remote: 4"


def test_other_network_is_refused_after_version_was_reported_and_answered() -> None:
    events, error = refused(started(), version(network="kaspa-simnet"), messages.verack())
    assert error.reason == "Network mismatch - local: kaspa-mainnet, remote: kaspa-simnet"
    assert error.tell_peer
    assert VersionReceived(10, 10, "kaspa-simnet", "/theirs/") in events
    assert sent(events) == ["verack"]


def test_no_check_before_verack() -> None:
    assert sent(list(started().receive(version(network="kaspa-simnet"), 1.0))) == ["verack"]


def test_known_peer_is_a_duplicate() -> None:
    _, error = refused(started(taken=lambda node_id: node_id == THEIRS), version(), messages.verack())
    assert error.reason == "DUPLICATE_CONNECTION"


def test_own_id_is_a_loopback() -> None:
    _, error = refused(started(), version(id=OURS), messages.verack())
    assert error.reason == "LOOPBACK_CONNECTION"


def test_user_agent_of_256_bytes_passes_and_one_more_does_not() -> None:
    machine = started()
    list(machine.receive(version(userAgent="ä" * 128), 1.0))
    assert sent(list(machine.receive(messages.verack(), 1.0))) == ["ready"]
    _, error = refused(started(), version(userAgent="ä" * 128 + "x"), messages.verack())
    assert error.reason == "user agent is too long - 257 bytes, limit: 256"


@pytest.mark.parametrize("length", [0, 1, 15, 17, 32])
def test_node_id_must_have_16_bytes(length: int) -> None:
    _, error = refused(started(), version(id=b"x" * length), messages.verack())
    assert f"found {length}" in error.reason


def test_a_malformed_address_is_refused() -> None:
    _, error = refused(started(), version(address=NetAddress(ip=b"abc", port=1)), messages.verack())
    assert error.reason == "IP has illegal length 3"


def test_checks_come_in_kaspads_order() -> None:
    """Everything is wrong at once; mending one fault after the other shows the next."""
    known = {OURS}
    faults: dict[str, object] = {
        "id": OURS,
        "network": "kaspa-devnet",
        "userAgent": "x" * 300,
        "protocolVersion": 1,
    }
    reasons = []
    for mended in ("", "id", "network", "userAgent"):
        if mended == "id":
            reasons.append(refused(started(), version(**faults), messages.verack())[1].reason)
        faults.pop(mended, None)
        machine = started(taken=lambda node_id: node_id in known)
        reasons.append(refused(machine, version(**faults), messages.verack())[1].reason)
    assert [reason.split(" - ")[0] for reason in reasons] == [
        "DUPLICATE_CONNECTION",
        "LOOPBACK_CONNECTION",
        "Network mismatch",
        "user agent is too long",
        "P2P protocol version mismatch",
    ]


@pytest.mark.parametrize(
    ("message", "kind"), [(version(), "Version"), (messages.verack(), "Verack"), (messages.ready(), "Ready")]
)
def test_a_second_message_of_a_kind_is_refused(message: KaspadMessage, kind: str) -> None:
    machine = started()
    list(machine.receive(message, 1.0))
    _, error = refused(machine, message)
    assert error.reason == f"got a second {kind} message"
    assert not error.tell_peer


def test_flow_messages_have_to_wait_for_ready() -> None:
    _, error = refused(started(), messages.request_addresses())
    assert error.reason == "no flow has been registered for message type RequestAddresses"


@pytest.mark.parametrize(
    ("incoming", "missing"),
    [([], "Version and Verack"), ([version()], "Verack"), ([messages.verack()], "Version")],
)
def test_version_and_verack_have_eight_seconds(incoming: list[KaspadMessage], missing: str) -> None:
    machine = handshake()
    list(machine.start(100.0))
    for message in incoming:
        list(machine.receive(message, 107.0))
    assert machine.deadline == 108.0
    assert list(machine.on_time(107.9)) == []
    with pytest.raises(ProtocolError, match=f"^timeout expired after 8s waiting for {missing}$"):
        list(machine.on_time(108.0))


def test_ready_has_twelve_seconds_from_ours() -> None:
    machine = started()
    list(machine.receive(version(), 1.0))
    list(machine.receive(messages.verack(), 5.0))
    assert machine.deadline == 17.0
    with pytest.raises(ProtocolError, match=r"^timeout expired after 12s waiting for Ready$"):
        list(machine.on_time(17.0))


def test_limits_are_settings() -> None:
    machine = started(version_timeout=4.0, ready_timeout=1.5)
    assert machine.deadline == 4.0
    list(machine.receive(version(), 1.0))
    list(machine.receive(messages.verack(), 1.0))
    assert machine.deadline == 2.5


def test_text_of_the_peer_is_made_printable() -> None:
    events = list(started().receive(version(userAgent="\x1b[31mred\n", network="a\tb"), 1.0))
    assert events[0] == VersionReceived(10, 10, "a\\tb", "\\x1b[31mred\\n")
