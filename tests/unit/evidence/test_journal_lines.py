from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node import milestones as m
from kaspa_node.evidence.journal_lines import MAX_LINE, LineError, parse_line, raw_lines, read_journal

STAMP = "2026-11-22 10:00:00.123+00:00"
GOOD = f"{STAMP} [INFO ] accepted verack_message: VerackMessage milestone=kaspa.verack.received session=a.1 peer=P"


def test_a_milestone_has_its_fields_and_its_sentence() -> None:
    line = parse_line(7, GOOD.encode())
    assert (line.number, line.time, line.milestone) == (7, 1795341600.123, m.VERACK_RECEIVED)
    assert line.sentence == "accepted verack_message: VerackMessage"
    assert line.fields == {"session": "a.1", "peer": "P"}
    assert line.is_a(m.VERACK_RECEIVED, session="a.1")
    assert not line.is_a(m.VERACK_RECEIVED, session="a.11")
    assert not line.is_a(m.VERACK_RECEIVED, session="a.")
    assert not line.is_a(m.READY_RECEIVED)


def test_a_time_in_another_zone_is_the_same_moment() -> None:
    elsewhere = GOOD.replace("10:00:00.123+00:00", "15:30:00.123+05:30")
    assert parse_line(1, elsewhere.encode()).time == parse_line(1, GOOD.encode()).time


def test_escapes_in_quotes_are_undone() -> None:
    line = f'{STAMP} [INFO ] x milestone=node.stopping reason="a \\"b\\" \\\\ \\x0a \\u2028 \\U0001f600 \\x3d"'
    assert parse_line(1, line.encode()).fields == {"reason": 'a "b" \\ \n \u2028 😀 ='}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "no time stamp and level"),
        (b"-- Boot 1 --", "no time stamp and level"),
        (GOOD[5:].encode(), "no time stamp and level"),
        (GOOD.encode() + b"\r", "control characters"),
        (GOOD.replace("verack_", "\x1b[2J").encode(), "control characters"),
        (GOOD.replace("verack_", "\u2028").encode(), "control characters"),
        (GOOD.encode() + b"\xff", "not UTF-8"),
        (GOOD.encode() + b"x" * MAX_LINE, "longer than a line may be"),
        (GOOD.replace("[INFO ]", "[LOUD ]").encode(), "unknown level"),
        (GOOD.replace("[INFO ]", "[WARN ]").encode(), "level is not the milestone's"),
        (GOOD.replace("2026-11-22", "2026-13-22").encode(), "no such time"),
        (GOOD.replace("+00:00", "+99:99").encode(), "no such time"),
        (GOOD.encode() + b" milestone=peer.connected", "more than one milestone"),
        (GOOD.replace("accepted ", "milestone=x ").encode(), "more than one milestone"),
        (f"{STAMP} [INFO ] milestone=peer.connected path=direct".encode(), "more than one milestone"),
        (GOOD.replace("kaspa.verack.received", "kaspa.verack").encode(), "unknown milestone"),
        (GOOD.encode() + b" peer=Q", "fields are not logfmt"),
        (GOOD.encode() + b" ", "fields are not logfmt"),
        (GOOD.encode() + b' x="open', "fields are not logfmt"),
        (GOOD.encode() + b' x="\\q"', "fields are not logfmt"),
        (GOOD.replace("peer=P", 'peer="\\Uffffffff"').encode(), "fields are not logfmt"),
        (GOOD.encode() + b" path=direct", "fields are not the milestone's"),
        (GOOD.replace("session=a.1 peer=P", "peer=P session=a.1").encode(), "fields are not the milestone's"),
    ],
)
def test_what_the_writer_could_not_have_written_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(LineError, match=f"^{why}$"):
        parse_line(1, raw)


def test_malformed_lines_are_counted_and_the_others_keep_their_numbers() -> None:
    data = b"\n".join([GOOD.encode(), b"rubbish", b"x" * (10 * 1024 * 1024), GOOD.encode(), b"rubbish", b""])
    journal = read_journal(io.BytesIO(data))
    assert [line.number for line in journal.lines] == [1, 4]
    assert journal.malformed == {"no time stamp and level": 2, "longer than a line may be": 1}


def test_of_a_long_line_only_its_beginning_is_held() -> None:
    exact = b"x" * (MAX_LINE + 2)
    for data in (exact, exact + b"\n", exact * 3 + b"\n"):
        assert [(n, len(raw)) for n, raw in raw_lines(io.BytesIO(data + b"end"))][0] == (1, MAX_LINE + 1)
    assert list(raw_lines(io.BytesIO(exact * 3 + b"\nend"))) == [(1, b"x" * (MAX_LINE + 1)), (2, b"end")]


@pytest.mark.parametrize(
    ("text", "seconds", "count"),
    [
        ("3", 3.0, 3),
        ("0.25", 0.25, None),
        ("-1", None, None),
        ("1e9", None, None),
        ("nan", None, None),
        ("٣", None, None),
    ],
)
def test_numbers_are_read_only_when_they_are_plain(text: str, seconds: float | None, count: int | None) -> None:
    line = parse_line(1, f"{STAMP} [INFO ] x milestone=node.stopped seconds={text}".encode())
    assert (line.seconds("seconds"), line.count("seconds")) == (seconds, count)
    assert (line.seconds("reason"), line.count("reason")) == (None, None)


@given(
    st.binary()
    | st.lists(st.sampled_from(GOOD.split(" ")) | st.text(max_size=9)).map(
        lambda x: " ".join(x).encode("utf-8", "replace")
    )
)
def test_no_content_raises(data: bytes) -> None:
    journal = read_journal(io.BytesIO(data))
    assert len(journal.lines) + sum(journal.malformed.values()) == len(list(raw_lines(io.BytesIO(data))))
