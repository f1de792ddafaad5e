"""yamux: windows given, used up, grown, and policed to the byte; and content under any split."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaspa_node.p2p.channel.yamux import (
    FIRST_WINDOW,
    FRAMES_AT_ONCE,
    INITIAL_WINDOW,
    MAX_FRAME,
    MAX_WINDOW,
    Changed,
    Growth,
    Opened,
    Pong,
    Yamux,
    YamuxStream,
)
from kaspa_node.p2p.errors import ProtocolError
from tests.unit.p2p.frames import (
    ACK,
    DATA,
    FIN,
    PING,
    SYN,
    WINDOW,
    carry,
    frame,
    frames,
    joined,
    opened,
    pair,
)


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


# What a remote can make us hold


def test_windows_of_one_connection_grow_within_a_budget() -> None:
    listener = Yamux(initiator=False)
    listener.growth = Growth(FIRST_WINDOW - INITIAL_WINDOW)
    first = opened(listener.receive(frame(WINDOW, SYN, 1, 0)))
    second = opened(listener.receive(frame(WINDOW, SYN, 3, 0)))
    assert (first.credit, second.credit) == (FIRST_WINDOW, INITIAL_WINDOW)
    half = first.window // 2
    listener.receive(frame(DATA, 0, 1, half, bytes(half)))
    listener.read(first, half, 0.0)
    assert first.window == first.credit == FIRST_WINDOW
    listener.reset(first)
    third = opened(listener.receive(frame(WINDOW, SYN, 5, 0)))
    assert third.credit == FIRST_WINDOW


def test_what_comes_for_a_dismissed_stream_is_dropped_and_its_window_is_not_renewed() -> None:
    dialer, listener, ours, theirs = joined()
    dialer.write(ours, b"before")
    carry(dialer, listener)
    listener.dismiss(theirs)
    assert theirs.readable == 0
    assert dialer.write(ours, bytes(2 * FIRST_WINDOW)) == FIRST_WINDOW - len(b"hellobefore")
    carry(dialer, listener)
    assert (theirs.readable, listener.take_output()) == (0, b"")
    listener.receive(frame(DATA, FIN, 1, 0))
    assert theirs.eof


def test_a_piece_of_a_large_buffer_does_not_keep_all_of_it() -> None:
    """4 KiB that are kept, 60 KiB that are dropped, in one message: sixteen times what the window allows."""
    _, listener = pair()
    stream = opened(listener.receive(frame(WINDOW, SYN, 1, 0)))
    kept, dropped = bytes(4096), bytes(60_000)
    for _ in range(30):
        listener.receive(frame(DATA, 0, 1, len(kept), kept) + frame(DATA, 0, 99, len(dropped), dropped))
    held = sum(len(c.obj if isinstance(c, memoryview) else c) for c in stream._chunks)  # type: ignore[arg-type]
    assert held <= 2 * stream.readable == 2 * 30 * len(kept)


def test_most_of_a_buffer_is_kept_without_a_copy() -> None:
    _, listener = pair()
    stream = opened(listener.receive(frame(WINDOW, SYN, 1, 0)))
    body = bytes(60_000)
    message = frame(DATA, 0, 1, len(body), body)
    listener.receive(message)
    (chunk,) = stream._chunks
    assert isinstance(chunk, memoryview)
    assert chunk.obj is message


def test_many_frames_are_taken_in_several_goes() -> None:
    _, listener = pair()
    pings = b"".join(frame(PING, ACK, 0, number) for number in range(2 * FRAMES_AT_ONCE + 10))
    events = listener.receive(pings + b"\x00\x02")
    goes = [len(events)]
    while listener.waiting:
        events += listener.receive(b"")
        goes.append(len(events))
    assert goes == [FRAMES_AT_ONCE, 2 * FRAMES_AT_ONCE, 2 * FRAMES_AT_ONCE + 10]
    assert [event.nonce for event in events if isinstance(event, Pong)] == list(range(len(events)))
    assert listener.receive(frame(PING, ACK, 0, 7)[2:]) == [Pong(7)]


def test_small_chunks_do_not_keep_the_buffers_that_they_came_in() -> None:
    _, listener = pair()
    stream = opened(listener.receive(frame(WINDOW, SYN, 1, 0)))
    ping = frame(PING, ACK, 0, 7)
    for _ in range(10_000):
        listener.receive(frame(DATA, 0, 1, 1, b"x") + ping)
    assert stream.readable == 10_000
    assert len(stream._chunks) < 4
    assert not any(isinstance(chunk, memoryview) for chunk in stream._chunks)
    assert listener.read(stream, 4_500, 0.0) + listener.read(stream, 1 << 20, 0.0) == b"x" * 10_000
