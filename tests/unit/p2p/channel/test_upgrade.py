"""From raw bytes to streams: the fewest round trips, any split of the bytes, remotes without our shortcuts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaspa_node.p2p.channel import noise, yamux
from kaspa_node.p2p.channel.negotiate import HEADER, Answerer, token
from kaspa_node.p2p.channel.noise import NoiseHandshake
from kaspa_node.p2p.channel.upgrade import Upgrade
from kaspa_node.p2p.errors import NegotiationError, ProtocolError, WrongPeer
from tests.unit.p2p.parties import keys, peer_id


def pair(*, early: tuple[bool, bool] = (True, True), expected: str | None = None) -> tuple[Upgrade, Upgrade]:
    """A dialer, party 1, and a listener, party 2; early: whether each names its muxer in the Noise handshake."""
    mine, theirs = ((yamux.PROTOCOL,) if named else () for named in early)
    return (
        Upgrade(keys(1, mine), initiator=True, expected=expected),
        Upgrade(keys(2, theirs), initiator=False),
    )


def join(dialer: Upgrade, listener: Upgrade, step: int = 1 << 20) -> int:
    """Carry bytes both ways, `step` at a time, until both are done; returns how often the direction changed."""
    flights, data, to_listener = 0, dialer.opening(), True
    while data:
        flights += 1
        side = listener if to_listener else dialer
        data = b"".join(side.receive(data[i : i + step]) for i in range(0, len(data), step))
        to_listener = not to_listener
    return flights


@pytest.mark.parametrize("early", [(True, True), (True, False), (False, True), (False, False)])
def test_both_sides_end_up_with_one_channel(early: tuple[bool, bool]) -> None:
    dialer, listener = pair(early=early, expected=peer_id(2))
    join(dialer, listener)
    assert dialer.done
    assert listener.done
    assert (dialer.remote, listener.remote) == (peer_id(2), peer_id(1))
    assert dialer.binding == listener.binding
    assert dialer.session is not None
    assert listener.session is not None
    assert listener.session.open(dialer.session.seal(b"ping")) == [b"ping"]
    assert dialer.session.open(listener.session.seal(b"pong")) == [b"pong"]


def test_the_dialer_is_done_after_one_round_trip_where_the_muxer_is_agreed_early() -> None:
    dialer, listener = pair()
    assert join(dialer, listener) == 3


def test_without_that_the_muxer_costs_no_more_than_the_answer_to_it() -> None:
    dialer, listener = pair(early=(True, False))
    assert join(dialer, listener) == 4


@pytest.mark.parametrize("early", [(True, True), (True, False)])
def test_a_split_at_every_byte_boundary(early: tuple[bool, bool]) -> None:
    dialer, listener = pair(early=early)
    join(dialer, listener, step=1)
    assert dialer.done
    assert listener.done
    for first in (dialer.opening(),):
        for cut in range(1, len(first)):
            one, other = pair(early=early)
            opening = one.opening()
            reply = other.receive(opening[:cut]) + other.receive(opening[cut:])
            last = one.receive(reply[:cut]) + one.receive(reply[cut:])
            back = other.receive(last[:cut]) + other.receive(last[cut:])
            one.receive(back)
            assert one.done, cut
            assert other.done, cut


@pytest.mark.parametrize("early", [(True, True), (False, False)])
def test_what_the_dialer_sends_at_once_is_not_lost(early: tuple[bool, bool]) -> None:
    dialer, listener = pair(early=early)
    last = dialer.receive(listener.receive(dialer.opening()))
    assert dialer.session is not None
    back = listener.receive(last + dialer.session.seal(b"first frame") + dialer.session.seal(b"second"))
    if back:
        dialer.receive(back)
    assert dialer.done
    assert listener.done
    assert b"".join(listener.plaintext) == b"first framesecond"


def test_another_peer_is_refused() -> None:
    dialer, listener = pair(expected=peer_id(3))
    with pytest.raises(WrongPeer):
        join(dialer, listener)


def test_a_listener_without_noise() -> None:
    dialer, _ = pair()
    dialer.opening()
    with pytest.raises(NegotiationError, match="does not speak /noise"):
        dialer.receive(token(HEADER) + token("na"))


def test_a_dialer_without_noise_may_still_propose_it() -> None:
    dialer, listener = pair()
    opening = dialer.opening().removeprefix(token(HEADER))
    assert listener.receive(token(HEADER) + token("/tls/1.0.0")) == token(HEADER) + token("na")
    join_rest = listener.receive(opening)
    assert join_rest.startswith(token(noise.PROTOCOL))
    listener.receive(dialer.receive(token(HEADER) + join_rest))
    assert listener.done


def test_a_listener_without_yamux() -> None:
    dialer = Upgrade(keys(1), initiator=True)
    listener = NoiseHandshake(keys(2, ()), initiator=False)
    security = Answerer({noise.PROTOCOL}.__contains__)
    reply = security.receive(dialer.opening())
    last = dialer.receive(reply + listener.receive(security.rest()))
    listener.receive(last)
    session = listener.session()
    assert b"".join(session.open(b"")) == token(HEADER) + token(yamux.PROTOCOL)
    with pytest.raises(NegotiationError, match="does not speak /yamux"):
        dialer.receive(session.seal(token(HEADER) + token("na")))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.booleans(), st.integers(0, 2))
def test_arbitrary_bytes_at_any_point_raise_nothing_but_protocol_errors(data: bytes, dialing: bool, at: int) -> None:
    dialer, listener = pair()
    side = dialer if dialing else listener
    flight = dialer.opening()
    for number in range(at):
        if (number % 2 == 0) == dialing:
            break
        flight = (listener if number % 2 == 0 else dialer).receive(flight)
    try:
        side.receive(data)
        side.receive(b"\x00\x20" + data)
    except ProtocolError:
        return
    assert not side.done
