"""A session from start to end, and anything at all thrown at it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.errors import ProtocolError, SessionClosed
from kaspa_node.kaspa.events import (
    Closed,
    Event,
    Failed,
    HandshakeDone,
    Ignored,
    PingAnswered,
    RejectReceived,
    RejectSent,
    Send,
)
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from kaspa_node.kaspa.protowire.p2p_pb2 import RejectMessage, VersionMessage
from kaspa_node.kaspa.session import Session
from tests.unit.kaspa.machines import NETWORK, OURS, THEIRS, converse, of, sent, session, version

PAYLOADS = [field.name for field in KaspadMessage.DESCRIPTOR.oneofs_by_name["payload"].fields]


def ready_session() -> Session:
    machine = session()
    machine.start(0.0)
    for message in (version(), messages.verack(), messages.ready()):
        machine.receive(message, 0.0)
    assert machine.phase == "ready"
    return machine


def test_two_sessions_get_ready_and_ask_for_addresses() -> None:
    left, right = session(), session(node_id=THEIRS)
    reports = converse(left, right)
    assert (left.phase, right.phase) == ("ready", "ready")
    for report in reports:
        assert sent(report) == ["version", "verack", "ready", "requestAddresses", "addresses"]
        assert len(list(of(HandshakeDone, report))) == 1


def test_pings_between_two_sessions() -> None:
    left, right = session(), session(node_id=THEIRS)
    converse(left, right)
    (ping,) = of(Send, left.ping(42, 1.0))
    assert isinstance(ping, Send)
    (pong,) = of(Send, right.receive(ping.message, 1.0))
    assert isinstance(pong, Send)
    assert left.receive(pong.message, 1.5) == [PingAnswered(42, 0.5)]


def test_networks_differ_and_both_say_why() -> None:
    left, right = session(), session(node_id=THEIRS, network="kaspa-testnet-10")
    mine, theirs = converse(left, right)
    local = "Network mismatch - local: kaspa-mainnet, remote: kaspa-testnet-10"
    remote = "Network mismatch - local: kaspa-testnet-10, remote: kaspa-mainnet"
    assert mine[-2:] == [RejectSent(local), Failed(local)]
    assert theirs[-2:] == [RejectSent(remote), Failed(remote)]


def test_a_reject_in_the_handshake_fails_it_with_the_peers_reason() -> None:
    machine = session()
    machine.start(0.0)
    events = machine.receive(messages.reject("DUPLICATE_CONNECTION"), 1.0)
    assert events == [RejectReceived("DUPLICATE_CONNECTION"), Failed("DUPLICATE_CONNECTION")]
    assert machine.phase == "closed"


def test_a_reject_later_closes_the_session() -> None:
    events = ready_session().receive(messages.reject("misbehaving"), 1.0)
    assert events == [RejectReceived("misbehaving"), Closed("misbehaving")]


def test_a_long_reject_reason_is_cut_at_2048_bytes() -> None:
    machine = session()
    machine.start(0.0)
    event = machine.receive(KaspadMessage(reject=RejectMessage(reason="ä" * 5000)), 1.0)[0]
    assert event == RejectReceived("ä" * 1024)


def test_a_reject_without_a_reason_has_one_for_people() -> None:
    machine = session()
    machine.start(0.0)
    assert machine.receive(messages.reject(""), 1.0)[-1] == Failed("no reason given")


def test_time_running_out_rejects_and_fails() -> None:
    machine = session()
    machine.start(0.0)
    assert machine.next_deadline() == 8.0
    assert machine.on_time(7.0) == []
    events = machine.on_time(8.0)
    assert sent(events) == ["reject"]
    assert events[-1] == Failed("timeout expired after 8s waiting for Version and Verack")
    assert machine.next_deadline() == math.inf


@pytest.mark.parametrize("message", [version(), messages.verack(), messages.ready()])
def test_a_handshake_message_after_the_handshake_disconnects(message: KaspadMessage) -> None:
    events = ready_session().receive(message, 1.0)
    assert sent(events) == []
    assert events == [Closed(f"got {messages.kind(message)} after the handshake")]


@pytest.mark.parametrize("machine", [session(), ready_session()])
def test_an_empty_payload_disconnects_without_a_word(machine: Session) -> None:
    events = machine.receive(KaspadMessage(request_id=4), 1.0)
    assert sent(events) == []
    assert isinstance(events[-1], Failed | Closed)
    assert events[-1].reason == "received kaspad p2p message with empty payload"


def test_a_flow_fault_is_told_to_the_peer() -> None:
    events = ready_session().receive(messages.pong(1, 0), 1.0)
    assert sent(events) == ["reject"]
    assert events[-1] == Closed("nonce mismatch between ping and pong")


def test_the_periodic_ping_is_sent_through_on_time() -> None:
    machine = ready_session()
    machine.receive(KaspadMessage(addresses={}), 1.0)
    assert machine.next_deadline() == 120.0
    assert sent(machine.on_time(120.0)) == ["ping"]


def test_close_ends_it_once() -> None:
    machine = ready_session()
    assert machine.close("bye") == [Closed("bye")]
    assert machine.close("again") == []
    assert machine.receive(messages.ping(1), 1.0) == []
    assert machine.on_time(1e9) == []
    assert machine.fail(ProtocolError("late")) == []


def test_pings_need_a_ready_session() -> None:
    with pytest.raises(SessionClosed, match="handshake"):
        session().ping(1, 0.0)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_payload_is_taken_in_every_phase(payload: str) -> None:
    message = KaspadMessage()
    getattr(message, payload).SetInParent()
    for machine in (session(), ready_session()):
        if machine.phase == "handshake":
            machine.start(0.0)
        events = machine.receive(message, 1.0)
        ended = isinstance(events[-1], Failed | Closed) if events else False
        assert ended == (machine.phase == "closed")


def test_payloads_without_a_flow_leave_a_ready_session_alone() -> None:
    machine = ready_session()
    for payload in PAYLOADS:
        message = KaspadMessage()
        getattr(message, payload).SetInParent()
        if payload in {"version", "verack", "ready", "reject", "ping", "pong", "addresses", "requestAddresses"}:
            continue
        assert machine.receive(message, 1.0) == [Ignored(messages.kind(message), message.ByteSize())]
    assert machine.phase == "ready"


versions = st.builds(
    VersionMessage,
    protocolVersion=st.integers(0, 2**32 - 1),
    id=st.one_of(st.just(THEIRS), st.just(OURS), st.binary(max_size=20)),
    userAgent=st.text(max_size=300),
    network=st.one_of(st.just(NETWORK), st.text(max_size=40)),
    timestamp=st.integers(-(2**63), 2**63 - 1),
)
known_messages = st.one_of(
    st.builds(lambda v: KaspadMessage(version=v), versions),
    st.just(messages.verack()),
    st.just(messages.ready()),
    st.builds(messages.ping, st.integers(0, 2**64 - 1)),
    st.builds(lambda n: messages.pong(n, 0), st.integers(0, 3)),
    st.builds(messages.reject, st.text(max_size=50)),
    st.just(messages.request_addresses()),
    st.builds(
        lambda ips: KaspadMessage(
            addresses={"addressList": [{"ip": ip, "port": 70_000 * len(ip) % 99_991} for ip in ips]}
        ),
        st.lists(st.binary(max_size=17), max_size=4),
    ),
    st.sampled_from(PAYLOADS).map(lambda name: KaspadMessage(**{name: {}})),
)
steps = st.lists(
    st.one_of(
        known_messages.map(lambda message: ("message", message)),
        st.binary(max_size=60).map(lambda data: ("bytes", data)),
        st.floats(0, 200).map(lambda seconds: ("time", seconds)),
        st.integers(0, 3).map(lambda nonce: ("ping", nonce)),
    ),
    max_size=25,
)


@given(steps)
def test_no_input_raises_and_every_session_ends_once(script: list[tuple[str, object]]) -> None:
    machine = session()
    events: list[Event] = machine.start(0.0)
    now = 0.0
    for what, value in script:
        match what, value:
            case "message", KaspadMessage() as message:
                events += machine.receive(message, now)
            case "bytes", bytes(data):
                try:
                    events += machine.receive(messages.decode(data), now)
                except ProtocolError as error:
                    events += machine.fail(error)
            case "time", float(seconds):
                now += seconds
                events += machine.on_time(now)
                assert machine.next_deadline() > now
            case "ping", int(nonce):
                if machine.phase == "ready":
                    try:
                        events += machine.ping(nonce, now)
                    except ValueError:
                        assert any(isinstance(e, Send) and e.message.ping.nonce == nonce for e in events)
    events += machine.close("the end")
    ends = [index for index, event in enumerate(events) if isinstance(event, Failed | Closed)]
    assert ends == [len(events) - 1]
    established = any(isinstance(event, HandshakeDone) for event in events)
    assert isinstance(events[-1], Closed) == established
