"""yamux: streams, windows and their policing, ends of every kind, and remotes that break the rules."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaspa_node.p2p.errors import ProtocolError
from kaspa_node.p2p.yamux import (
    FIRST_WINDOW,
    INITIAL_WINDOW,
    MAX_FRAME,
    MAX_INCOMING_STREAMS,
    MAX_WINDOW,
    Changed,
    Event,
    GoneAway,
    Opened,
    Pong,
    Yamux,
    YamuxStream,
)

DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8


def frame(kind: int, flags: int, stream: int, length: int, body: bytes = b"") -> bytes:
    """A frame as hashicorp's specification draws it."""
    return struct.pack("!BBHII", 0, kind, flags, stream, length) + body


def frames(wire: bytes) -> list[tuple[int, int, int, int, bytes]]:
    """(type, flags, stream, length, body) of each frame."""
    found = []
    while wire:
        _, kind, flags, stream, length = struct.unpack_from("!BBHII", wire)
        body = wire[12 : 12 + length] if kind == DATA else b""
        found.append((kind, flags, stream, length, body))
        wire = wire[12 + len(body) :]
    return found


def pair() -> tuple[Yamux, Yamux]:
    """The dialer's end and the listener's."""
    return Yamux(initiator=True), Yamux(initiator=False)


def carry(source: Yamux, sink: Yamux) -> list[Event]:
    """Bring over what waits; returns what happened there."""
    return sink.receive(source.take_output())


def opened(events: list[Event]) -> YamuxStream:
    """The one stream that was opened."""
    (stream,) = [event.stream for event in events if isinstance(event, Opened)]
    return stream


def joined(first: bytes = b"hello") -> tuple[Yamux, Yamux, YamuxStream, YamuxStream]:
    """Two ends with one stream from the dialer, on which `first` was sent and read."""
    dialer, listener = pair()
    ours = dialer.open()
    dialer.write(ours, first)
    theirs = opened(carry(dialer, listener))
    assert listener.read(theirs, len(first), 0.0) == first
    carry(listener, dialer)
    return dialer, listener, ours, theirs


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


# Windows


def test_a_writer_gets_as_far_as_the_initial_window() -> None:
    dialer, _ = pair()
    stream = dialer.open()
    assert dialer.write(stream, bytes(INITIAL_WINDOW + 1000)) == INITIAL_WINDOW
    assert dialer.write(stream, b"x") == 0
    sizes = [length for _, _, _, length, _ in frames(dialer.take_output())]
    assert max(sizes) <= MAX_FRAME
    assert sum(sizes) == INITIAL_WINDOW


def test_the_acknowledgement_brings_the_first_growth() -> None:
    dialer, listener = pair()
    stream = dialer.open()
    dialer.write(stream, bytes(INITIAL_WINDOW))
    carry(dialer, listener)
    assert frames(wire := listener.take_output()) == [(WINDOW, ACK, 1, FIRST_WINDOW - INITIAL_WINDOW, b"")]
    assert dialer.receive(wire) == [Changed(stream)]
    assert stream.writable == FIRST_WINDOW - INITIAL_WINDOW


def test_the_window_of_an_incoming_stream_is_policed_to_the_byte() -> None:
    _, listener = pair()
    listener.receive(frame(WINDOW, SYN, 1, 0))
    listener.receive(frame(DATA, 0, 1, FIRST_WINDOW, bytes(FIRST_WINDOW)))
    with pytest.raises(ProtocolError, match="overran the window of stream 1 by 1"):
        listener.receive(frame(DATA, 0, 1, 1, b"x"))


def test_the_window_of_an_outgoing_stream_is_policed_to_the_byte() -> None:
    dialer, _ = pair()
    dialer.announce(dialer.open())
    dialer.receive(frame(WINDOW, ACK, 1, 0) + frame(DATA, 0, 1, INITIAL_WINDOW, bytes(INITIAL_WINDOW)))
    with pytest.raises(ProtocolError, match="by 1"):
        dialer.receive(frame(DATA, 0, 1, 1, b"x"))


def test_an_overrun_is_noticed_by_the_header_before_its_bytes_arrive() -> None:
    _, listener = pair()
    listener.receive(frame(WINDOW, SYN, 1, 0))
    with pytest.raises(ProtocolError, match="overran"):
        listener.receive(frame(DATA, 0, 1, 0xFFFFFFFF))


def test_what_is_read_is_given_back_once_it_is_half_the_window() -> None:
    dialer, listener, ours, theirs = joined(b"hello")
    half = FIRST_WINDOW // 2
    dialer.write(ours, bytes(half - 5))
    carry(dialer, listener)
    listener.read(theirs, half - 6, 100.0)
    assert listener.take_output() == b""
    listener.read(theirs, 1, 100.0)
    assert frames(listener.take_output()) == [(WINDOW, 0, 1, half, b"")]
    assert theirs.credit == FIRST_WINDOW


def test_a_window_used_up_within_two_round_trips_doubles_up_to_the_limit() -> None:
    listener = Yamux(initiator=False)
    stream = opened(listener.receive(frame(WINDOW, SYN, 1, 0)))
    listener.round_trip = 0.05
    listener.take_output()
    now, windows = 10.0, []
    for _ in range(8):
        half = stream.window // 2
        listener.receive(frame(DATA, 0, 1, half, bytes(half)))
        listener.read(stream, half, now)
        windows.append(stream.window)
        assert stream.credit == stream.window
        now += 0.09
    assert windows[:5] == [FIRST_WINDOW, *(FIRST_WINDOW << step for step in range(1, 5))]
    assert windows[-1] == MAX_WINDOW


def test_a_slow_stream_keeps_its_window() -> None:
    listener = Yamux(initiator=False)
    stream = opened(listener.receive(frame(WINDOW, SYN, 1, 0)))
    listener.round_trip = 0.05
    for second in range(1, 5):
        half = stream.window // 2
        listener.receive(frame(DATA, 0, 1, half, bytes(half)))
        listener.read(stream, half, float(second))
    assert stream.window == FIRST_WINDOW


def test_a_stream_of_ours_grows_with_its_first_grant() -> None:
    dialer, _ = pair()
    stream = dialer.open()
    dialer.announce(stream)
    dialer.receive(frame(DATA, ACK, 1, INITIAL_WINDOW, bytes(INITIAL_WINDOW)))
    dialer.take_output()
    dialer.read(stream, INITIAL_WINDOW, 1.0)
    assert stream.window == stream.credit == FIRST_WINDOW
    assert frames(dialer.take_output()) == [(WINDOW, 0, 1, FIRST_WINDOW, b"")]


def test_a_window_that_overflows_is_an_error() -> None:
    dialer, _ = pair()
    dialer.announce(dialer.open())
    with pytest.raises(ProtocolError, match="overflows"):
        dialer.receive(frame(WINDOW, 0, 1, 0xFFFFFFFF))


def test_window_given_late_lets_the_writer_go_on() -> None:
    dialer, _ = pair()
    stream = dialer.open()
    dialer.write(stream, bytes(INITIAL_WINDOW))
    dialer.take_output()
    assert dialer.receive(frame(WINDOW, 0, 1, 7)) == [Changed(stream)]
    assert dialer.write(stream, b"ten bytes.") == 7
    assert frames(dialer.take_output()) == [(DATA, 0, 1, 7, b"ten byt")]


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


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.booleans())
def test_arbitrary_bytes_raise_nothing_but_protocol_errors(data: bytes, initiator: bool) -> None:
    mux = Yamux(initiator=initiator)
    mux.announce(mux.open())
    try:
        mux.receive(data)
    except ProtocolError:
        return


FRAMES = st.builds(
    lambda kind, flags, stream, length: frame(kind, flags, stream, length, bytes(length) if kind == DATA else b""),
    st.integers(0, 4),
    st.integers(0, 15),
    st.integers(0, 6),
    st.sampled_from([0, 1, 100, 70_000]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAMES, max_size=12), st.booleans())
def test_well_formed_frames_in_any_order_raise_nothing_but_protocol_errors(
    sequence: list[bytes], initiator: bool
) -> None:
    mux = Yamux(initiator=initiator)
    mux.announce(mux.open())
    try:
        for wire in sequence:
            for event in mux.receive(wire):
                if isinstance(event, Changed):
                    mux.read(event.stream, 1 << 20, 1.0)
    except ProtocolError:
        return
    assert all(stream.credit >= 0 for stream in mux.streams.values())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_two_ends_back_to_back_preserve_content_however_the_bytes_are_split(data: st.DataObject) -> None:
    dialer, listener = pair()
    contents = data.draw(st.lists(st.binary(max_size=3000).map(lambda b: b * 200), min_size=1, max_size=4))
    unsent = [(dialer.open(), memoryview(content)) for content in contents]
    wires = {"out": b"", "back": b""}
    got: dict[int, bytearray] = {stream.id: bytearray() for stream, _ in unsent}
    arrived: dict[int, YamuxStream] = {}
    now = 0.0
    while unsent or wires["out"] or wires["back"] or any(s.readable for s in arrived.values()):
        now += 0.01
        left = []
        for stream, rest in unsent:
            taken = dialer.write(stream, rest)
            if taken < len(rest):
                left.append((stream, rest[taken:]))
            else:
                dialer.finish(stream)
        unsent = left
        wires["out"] += dialer.take_output()
        for name, sink in (("out", listener), ("back", dialer)):
            cut = data.draw(st.sampled_from([1, 11, 13, 1000, 65536, 1 << 20]))
            piece, wires[name] = wires[name][:cut], wires[name][cut:]
            # The same bytes once more in two pieces: headers are cut anywhere.
            half = len(piece) // 2
            for event in sink.receive(piece[:half]) + sink.receive(piece[half:]):
                if isinstance(event, Opened):
                    arrived[event.stream.id] = event.stream
        if wires["out"] == b"" or data.draw(st.booleans()):
            for stream in arrived.values():
                got[stream.id] += listener.read(stream, data.draw(st.sampled_from([1000, 100_000, 1 << 20])), now)
        wires["back"] += listener.take_output()
        if len(wires["out"]) > 100_000:
            # Keep the number of draws small: most of a long transfer goes in one piece.
            for event in listener.receive(wires["out"]):
                if isinstance(event, Opened):
                    arrived[event.stream.id] = event.stream
            wires["out"] = b""
    assert [bytes(got[2 * number + 1]) for number in range(len(contents))] == contents
    assert all(stream.eof for stream in arrived.values())
