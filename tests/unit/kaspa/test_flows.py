"""Pings, addresses, and messages without a flow."""

from __future__ import annotations

import ipaddress
import math

import pytest

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.addresses import NodeAddress
from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.events import AddressesReceived, Event, Ignored, PingAnswered, PingReceived, Send
from kaspa_node.kaspa.flows import Flows, FlowSources
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from kaspa_node.kaspa.protowire.p2p_pb2 import AddressesMessage, InvRelayBlockMessage, NetAddress
from tests.unit.kaspa.machines import flows, nonces, sent

ADDRESSES = KaspadMessage(addresses=AddressesMessage(addressList=[NetAddress(ip=bytes([1, 1, 1, 1]), port=16111)]))


def running(ping_interval: float = 120.0) -> Flows:
    """Flows past the answer to RequestAddresses."""
    machine = flows(ping_interval)
    list(machine.start(0.0))
    list(machine.receive(ADDRESSES, 0.0))
    return machine


def only_message(events: list[Event]) -> KaspadMessage:
    (event,) = (event for event in events if isinstance(event, Send))
    return event.message


def test_addresses_are_requested_at_once() -> None:
    assert sent(list(flows().start(0.0))) == ["requestAddresses"]


def test_addresses_are_reported() -> None:
    machine = flows()
    list(machine.start(0.0))
    (event,) = machine.receive(ADDRESSES, 1.0)
    assert event == AddressesReceived((NodeAddress(ipaddress.ip_address("1.1.1.1"), 16111),))


def test_addresses_have_two_minutes() -> None:
    machine = flows(1000.0)
    list(machine.start(10.0))
    assert machine.deadline == 130.0
    with pytest.raises(ProtocolError, match="^timeout expired after 120s waiting for Addresses$"):
        list(machine.on_time(130.0))


def test_addresses_come_once() -> None:
    with pytest.raises(ProtocolError, match="not requested"):
        list(running().receive(ADDRESSES, 1.0))


def test_too_many_addresses_are_a_fault() -> None:
    machine = flows()
    list(machine.start(0.0))
    many = [NetAddress(ip=bytes([1, 1, 1, 1]), port=1)] * 2501
    with pytest.raises(ProtocolError, match="^address count 2501 exceeded 2500$"):
        list(machine.receive(KaspadMessage(addresses=AddressesMessage(addressList=many)), 1.0))


def test_a_request_for_addresses_is_answered_to_its_route() -> None:
    known = [NodeAddress(ipaddress.ip_address("2001:4860:4860::8888"), 16111)]
    machine = Flows(FlowSources(nonces(), lambda: known))
    request = messages.request_addresses()
    request.request_id = 77
    answer = only_message(list(machine.receive(request, 1.0)))
    assert answer.response_id == 77
    assert answer.request_id == 0
    assert [entry.port for entry in answer.addresses.addressList] == [16111]


def test_a_ping_is_answered_with_its_nonce_to_its_route() -> None:
    request = messages.ping(2**64 - 1)
    request.request_id = 5
    events = list(running().receive(request, 1.0))
    assert events[0] == PingReceived(2**64 - 1)
    answer = only_message(events)
    assert (answer.pong.nonce, answer.response_id) == (2**64 - 1, 5)


def test_the_first_ping_waits_an_interval_and_the_next_one_from_the_answer() -> None:
    machine = running(120.0)
    assert list(machine.on_time(119.0)) == []
    assert only_message(list(machine.on_time(120.0))).ping.nonce == 1000
    assert list(machine.receive(messages.pong(1000, 0), 123.0)) == [PingAnswered(1000, 3.0)]
    assert machine.deadline == 243.0
    assert only_message(list(machine.on_time(243.0))).ping.nonce == 1001


def test_only_one_periodic_ping_is_under_way() -> None:
    machine = running(10.0)
    list(machine.on_time(10.0))
    assert list(machine.on_time(50.0)) == []


def test_a_pong_has_two_minutes() -> None:
    machine = running(10.0)
    list(machine.on_time(10.0))
    assert machine.deadline == 130.0
    with pytest.raises(ProtocolError, match="^timeout expired after 120s waiting for Pong$"):
        list(machine.on_time(130.0))


@pytest.mark.parametrize("outstanding", [[], [1], [1, 2]])
def test_a_pong_with_another_nonce_is_a_fault(outstanding: list[int]) -> None:
    machine = running()
    for nonce in outstanding:
        list(machine.ping(nonce, 1.0))
    with pytest.raises(ProtocolError, match="^nonce mismatch between ping and pong$"):
        list(machine.receive(messages.pong(99, 0), 2.0))


def test_a_pong_counts_once() -> None:
    machine = running()
    list(machine.ping(7, 1.0))
    list(machine.receive(messages.pong(7, 0), 2.0))
    with pytest.raises(ProtocolError, match="nonce mismatch"):
        list(machine.receive(messages.pong(7, 0), 2.0))


def test_many_pings_may_be_unanswered_and_answered_in_any_order() -> None:
    machine = running()
    for nonce in range(50):
        assert only_message(list(machine.ping(nonce, float(nonce)))).ping.nonce == nonce
    assert machine.deadline == 120.0
    answers = [event for nonce in reversed(range(50)) for event in machine.receive(messages.pong(nonce, 0), 60.0)]
    assert answers == [PingAnswered(nonce, 60.0 - nonce) for nonce in reversed(range(50))]


def test_the_oldest_unanswered_ping_sets_the_deadline() -> None:
    machine = running(1000.0)
    list(machine.ping(1, 10.0))
    list(machine.ping(2, 20.0))
    assert machine.deadline == 130.0
    list(machine.receive(messages.pong(1, 0), 30.0))
    assert machine.deadline == 140.0


def test_a_nonce_in_use_is_refused() -> None:
    machine = running()
    list(machine.ping(1, 0.0))
    with pytest.raises(ValueError, match="nonce 1"):
        list(machine.ping(1, 0.0))


def test_a_message_without_a_flow_is_ignored() -> None:
    message = KaspadMessage(invRelayBlock=InvRelayBlockMessage())
    assert list(running().receive(message, 1.0)) == [Ignored("InvRelayBlock", message.ByteSize())]


def test_nothing_is_due_before_the_start() -> None:
    assert flows().deadline == math.inf
