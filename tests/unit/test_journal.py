from __future__ import annotations

import io
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node import milestones as m
from kaspa_node.evidence.journal_lines import read_journal
from kaspa_node.journal import Journal, LineFormatter, configure, quote
from kaspa_node.milestones import Milestone

TEXTS = st.text(alphabet=st.characters(), max_size=60) | st.sampled_from(
    [
        " milestone=peer.connected path=direct",
        "milestone=peer.connected path=direct",
        'x" path=direct peer="y',
        "\n2026-11-22 10:00:00.123+00:00 [INFO ] x milestone=peer.connected path=direct",
        "\\",
        '\\"',
        "\x1b[2J",
        "\u2028\x85\ud800",
        "",
    ]
)
VALUES = TEXTS | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none()


class Lines(logging.Handler):
    """Keeps what the formatter makes of each record."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"


def journal() -> tuple[Journal, Lines, logging.Logger]:
    logger, lines = logging.Logger("test", logging.DEBUG), Lines()
    logger.addHandler(lines)
    return Journal(logger), lines, logger


def read(text: str) -> list[tuple[Milestone | None, dict[str, str]]]:
    found = read_journal(io.BytesIO(text.encode()))
    assert found.malformed == {}
    return [(line.milestone, line.fields) for line in found.lines]


@given(st.sampled_from(m.ALL), st.data())
def test_a_milestone_is_read_back_as_it_was_written(milestone: Milestone, data: st.DataObject) -> None:
    values = {name: data.draw(VALUES) for name in milestone.fields}
    writer, lines, _ = journal()
    writer.record(milestone, **values)
    ((found, fields),) = read(lines.text)
    assert found is milestone
    assert list(fields) == [name for name, value in values.items() if value is not None]
    for name, text in fields.items():
        value = values[name]
        if isinstance(value, str):
            assert text == value
        else:
            assert text == quote(value)


@given(st.lists(TEXTS, min_size=1, max_size=3).map("".join))
def test_free_text_never_becomes_a_milestone_or_a_second_line(text: str) -> None:
    writer, lines, _ = journal()
    for write in (writer.debug, writer.info, writer.warning, writer.error):
        write("%s", text)
    assert read(lines.text) == [(None, {})] * 4


def test_a_traceback_can_not_forge_a_line() -> None:
    _, lines, logger = journal()
    forged = "2026-11-22 10:00:00.123+00:00 [INFO ] x milestone=peer.connected path=direct"
    try:
        raise ValueError(f"\n{forged}\n| {forged}")
    except ValueError:
        logger.error("it failed", exc_info=sys.exc_info())
    found = read_journal(io.BytesIO(lines.text.encode()))
    assert [line.milestone for line in found.lines] == [None]
    assert list(found.malformed) == ["no time stamp and level"]
    assert " milestone=" not in lines.text


def test_long_texts_are_cut_so_that_no_line_is_split() -> None:
    writer, lines, _ = journal()
    for text in ("x" * 100_000, "\x00" * 100_000, "😀 " * 100_000):
        writer.record(m.REJECT_RECEIVED, reason=text, addr=text, peer="p", session="s")
        writer.info("%s", text)
    assert all(len(line.encode()) < 48 * 1024 for line in lines.text.split("\n"))
    assert all(fields["session"] == "s" for milestone, fields in read(lines.text) if milestone)


def test_a_field_that_the_milestone_lacks_is_an_error_of_the_program() -> None:
    with pytest.raises(ValueError, match=r"milestone node\.listening has no field colour"):
        journal()[0].record(m.NODE_LISTENING, colour="red")


def test_values_are_written_as_logfmt() -> None:
    values = [None, True, False, 7, 1.5, 100.0, "bare", "two words", 'a"b', "", "a=b"]
    expected = ['""', "true", "false", "7", "1.5", "100", "bare", '"two words"', '"a\\"b"', '""', '"a=b"']
    assert [quote(value) for value in values] == expected


def test_below_the_level_nothing_is_written() -> None:
    writer, lines, logger = journal()
    logger.setLevel(logging.INFO)
    writer.record(m.PING_ANSWERED, addr="a", nonce=1)
    assert lines.text == ""


def test_a_line_looks_like_one_of_kaspad() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "P2P, %s", ("text",), None)
    record.created = 1795341600.123
    assert LineFormatter().format(record) == "2026-11-22 10:00:00.123+00:00 [WARN ] P2P, text"


def test_configure_writes_to_the_stream_from_the_level_up() -> None:
    before, stream = logging.getLogger().handlers[:], io.StringIO()
    try:
        writer = configure("warning", stream)
        writer.info("no")
        writer.record(m.NODE_OPEN, what="streams")
        assert read(stream.getvalue()) == [(m.NODE_OPEN, {"what": "streams"})]
    finally:
        logging.getLogger().handlers[:] = before
