"""yamux: streams, windows and their policing, ends of every kind, and remotes that break the rules."""

from __future__ import annotations

import pytest

from kaspa_node.p2p.channel.yamux import (
    MAX_INCOMING_STREAMS,
    Changed,
    GoneAway,
    Opened,
    Pong,
    Yamux,
)
from kaspa_node.p2p.errors import ProtocolError
from tests.unit.p2p.frames import (
    ACK,
    DATA,
    FIN,
    PING,
    RST,
    SYN,
    WINDOW,
    carry,
    frame,
    frames,
    joined,
    opened,
    pair,
)

# Opening


def test_the_first_data_opens_the_stream() -> None:
    dialer, listener = pair()
    stream = dialer.open()
    assert dialer.take_output() == b""
    dialer.write(stream, b"hello")
    assert frames(wire := dialer.take_output()) == [(DATA, SYN, 1, 5, b"hello")]
    events = listener.receive(wire)
    assert [type(event) for event in events] == [Opened, Changed]
    assert listener.read(opened(events), 100, 0.0) == b"hello"
    dialer.write(stream, b"more")
    assert frames(dialer.take_output()) == [(DATA, 0, 1, 4, b"more")]


def test_a_stream_can_be_announced_before_anything_is_written() -> None:
    dialer, listener = pair()
    stream = dialer.open()
    dialer.announce(stream)
    dialer.announce(stream)
    assert frames(wire := dialer.take_output()) == [(WINDOW, SYN, 1, 0, b"")]
    assert opened(listener.receive(wire)).readable == 0


def test_the_dialer_has_odd_ids_and_the_listener_even_ones() -> None:
    dialer, listener = pair()
    assert [dialer.open().id for _ in range(3)] == [1, 3, 5]
    assert [listener.open().id for _ in range(3)] == [2, 4, 6]


@pytest.mark.parametrize(("initiator", "stream"), [(True, 1), (False, 2), (True, 0), (False, 0)])
def test_the_remote_opens_only_ids_of_its_own_parity(initiator: bool, stream: int) -> None:
    with pytest.raises(ProtocolError, match="may not"):
        Yamux(initiator=initiator).receive(frame(WINDOW, SYN, stream, 0))


def test_a_standing_stream_is_not_opened_again() -> None:
    _, listener = pair()
    listener.receive(frame(WINDOW, SYN, 1, 0))
    with pytest.raises(ProtocolError):
        listener.receive(frame(WINDOW, SYN, 1, 0))


def test_one_stream_too_many_is_reset_and_the_others_live() -> None:
    _, listener = pair()
    for number in range(MAX_INCOMING_STREAMS):
        listener.receive(frame(WINDOW, SYN, 2 * number + 1, 0))
    listener.take_output()
    late = 2 * MAX_INCOMING_STREAMS + 1
    assert listener.receive(frame(DATA, SYN, late, 4, b"late")) == []
    assert frames(listener.take_output()) == [(WINDOW, RST, late, 0, b"")]
    assert listener.receive(frame(DATA, 0, 1, 2, b"ok")) == [Changed(listener.streams[1])]
    listener.reset(listener.streams[3])
    assert opened(listener.receive(frame(WINDOW, SYN, late + 2, 0))).id == late + 2


# Ends


def test_a_half_closed_stream_still_carries_the_other_way() -> None:
    dialer, listener, ours, theirs = joined()
    dialer.write(ours, b"last words")
    dialer.finish(ours)
    carry(dialer, listener)
    assert theirs.eof
    assert listener.read(theirs, 100, 0.0) == b"last words"
    assert dialer.write(ours, b"more") == 0
    listener.write(theirs, b"an answer")
    listener.finish(theirs)
    carry(listener, dialer)
    assert dialer.read(ours, 100, 0.0) == b"an answer"
    assert ours.eof
    assert dialer.streams == listener.streams == {}


def test_an_end_can_come_with_the_last_data() -> None:
    _, listener = pair()
    stream = opened(listener.receive(frame(DATA, SYN | FIN, 1, 3, b"all")))
    assert stream.eof
    assert listener.read(stream, 10, 0.0) == b"all"


def test_a_stream_may_be_opened_and_ended_without_data() -> None:
    dialer, listener = pair()
    stream = dialer.open()
    dialer.finish(stream)
    dialer.finish(stream)
    assert frames(wire := dialer.take_output()) == [(WINDOW, SYN | FIN, 1, 0, b"")]
    assert opened(listener.receive(wire)).eof


def test_a_reset_ends_both_ways_and_drops_what_was_not_read() -> None:
    dialer, listener, ours, theirs = joined()
    dialer.write(ours, b"never read")
    carry(dialer, listener)
    listener.reset(theirs)
    listener.reset(theirs)
    assert theirs.readable == 0
    assert frames(wire := listener.take_output()) == [(WINDOW, RST, 1, 0, b"")]
    assert dialer.receive(wire) == [Changed(ours)]
    assert ours.was_reset
    assert dialer.write(ours, b"x") == 0
    dialer.finish(ours)
    dialer.reset(ours)
    assert dialer.take_output() == b""
    assert dialer.streams == listener.streams == {}


def test_what_arrived_before_a_reset_can_be_read() -> None:
    _, listener = pair()
    stream = opened(listener.receive(frame(DATA, SYN, 1, 4, b"data") + frame(WINDOW, RST, 1, 0)))
    assert stream.was_reset
    assert listener.read(stream, 10, 0.0) == b"data"


def test_a_stream_reset_before_it_was_announced_leaves_no_trace() -> None:
    dialer, _ = pair()
    stream = dialer.open()
    dialer.reset(stream)
    dialer.announce(stream)
    assert dialer.take_output() == b""
    assert dialer.streams == {}


@pytest.mark.parametrize("kind", [DATA, WINDOW])
def test_a_reset_after_the_end_is_no_offence(kind: int) -> None:
    # rust-yamux resets with an empty data frame, and does so when a stream is dropped that it has ended before.
    _, listener = pair()
    stream = opened(listener.receive(frame(WINDOW, SYN | FIN, 1, 0)))
    assert listener.receive(frame(kind, RST, 1, 0)) == [Changed(stream)]
    assert stream.was_reset
    assert listener.streams == {}


def test_data_behind_the_end_is_an_offence() -> None:
    _, listener = pair()
    listener.receive(frame(WINDOW, SYN | FIN, 1, 0))
    with pytest.raises(ProtocolError, match="behind its end"):
        listener.receive(frame(DATA, 0, 1, 1, b"x"))


def test_data_for_a_stream_that_is_gone_is_skipped() -> None:
    dialer, listener, _, theirs = joined()
    listener.reset(theirs)
    wire = frame(DATA, 0, 1, 5, b"ghost") + frame(WINDOW, 0, 1, 5) + frame(WINDOW, RST, 1, 0)
    assert listener.receive(wire) == []
    assert opened(listener.receive(frame(DATA, SYN, 3, 4, b"next"))).id == 3


# The connection


def test_a_ping_is_answered_with_its_value() -> None:
    dialer, listener = pair()
    dialer.ping(0xDEADBEEF)
    assert carry(dialer, listener) == []
    assert frames(wire := listener.take_output()) == [(PING, ACK, 0, 0xDEADBEEF, b"")]
    assert dialer.receive(wire) == [Pong(0xDEADBEEF)]


@pytest.mark.parametrize("code", [0, 1, 2])
def test_going_away_is_told_with_its_code(code: int) -> None:
    dialer, listener = pair()
    dialer.go_away(code)
    assert carry(dialer, listener) == [GoneAway(code)]


def test_a_version_or_type_of_the_future_ends_the_connection() -> None:
    with pytest.raises(ProtocolError, match="version 1"):
        Yamux(initiator=False).receive(b"\x01" + bytes(11))
    with pytest.raises(ProtocolError, match="type 4"):
        Yamux(initiator=False).receive(frame(4, 0, 0, 0))
