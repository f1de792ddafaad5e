"""Log lines of several hosts, put in order and made fit for a terminal."""

from __future__ import annotations

import json
import logging

import pytest

from kaspa_node import milestones
from kaspa_node.journal import Journal, LineFormatter
from operations.log_lines import Entry, from_file, from_journal, in_order, shown, since, stamp
from operations.problems import UsageProblem

WRITTEN = "1763805600500000"  # 2025-11-22 10:00:00.5


def line_of(name: str) -> str:
    """A milestone as the node writes it."""
    log = logging.getLogger(name)
    log.propagate = False
    texts: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(LineFormatter().format(record))  # type: ignore[method-assign]
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    Journal(log).record(milestones.READY_RECEIVED, session="ab.1", peer="12D3KooWx")
    return texts[0]


def journal(message: object, unit: str = "kaspa-peer", **more: object) -> Entry:
    record = {
        "MESSAGE": message,
        "__REALTIME_TIMESTAMP": WRITTEN,
        "__CURSOR": "s=1",
        "_SYSTEMD_UNIT": f"{unit}.service",
    }
    found = from_journal(json.dumps({**record, **more}), "client", "kaspa-peer")
    assert found is not None
    return found


def test_a_milestone_has_the_time_of_its_line() -> None:
    text = line_of("test_a_milestone")
    found = journal(text)
    assert (found.milestone, found.sentence, found.origin, found.cursor, found.text) == (
        *("kaspa.ready.received", "accepted ready message: ReadyMessage", "client", "s=1"),
        text,
    )
    assert text.startswith(stamp(found.time))


def test_a_line_without_a_time_has_the_journals() -> None:
    found = journal("Traceback, most recent call last")
    assert (found.time, found.milestone) == (1763805600.5, None)


def test_what_systemd_says_of_the_unit() -> None:
    found = journal("Started kaspa-peer.service.", "init.scope", UNIT="kaspa-peer.service")
    assert found.origin == "client"
    assert found.text == "2025-11-22 10:00:00.500+00:00 [systemd] Started kaspa-peer.service."


def test_a_native_programs_line_says_whose_it_is() -> None:
    assert journal("[DEBUG] x", "kaspa-native-server").origin == "client/native-server"


def test_messages_that_are_no_text() -> None:
    assert journal([104, 105, 27, 255]).text == "hi\x1b\ufffd"
    assert journal(None).text == "(a line too long to be shown)"


@pytest.mark.parametrize("raw", ["", "no JSON", "[]", "{}", '{"__REALTIME_TIMESTAMP": "soon"}'])
def test_lines_that_are_none_of_the_journals(raw: str) -> None:
    assert from_journal(raw, "client", "kaspa-peer") is None


def test_a_line_of_a_file_without_a_time_follows_the_one_before_it() -> None:
    assert from_file("| a traceback", "client", 12.5).time == 12.5


def entry(time: float, origin: str, text: str = "") -> Entry:
    return Entry(time, origin, text)


def test_lines_of_all_hosts_by_time() -> None:
    client = [entry(1, "client"), entry(4, "client")]
    server = [entry(2, "server"), entry(3, "server"), entry(4, "server")]
    assert [(each.time, each.origin) for each in in_order([client, server])] == [
        (1, "client"), (2, "server"), (3, "server"), (4, "client"), (4, "server"),
    ]  # fmt: skip


def test_a_hosts_lines_stay_in_their_order_when_its_clock_was_set_back() -> None:
    client = [entry(5, "client", "first"), entry(2, "client", "second"), entry(6, "client", "third")]
    found = in_order([client, [entry(3, "server"), entry(5.5, "server")]])
    assert [each.text for each in found if each.origin == "client"] == ["first", "second", "third"]
    assert [each.origin for each in found] == ["server", "client", "client", "server", "client"]


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    line = shown(entry(0, "client", "\x1b]0;evil\x07 \x1b[2J\rroot#"), 8, milestones=False)
    assert line == "client    \\x1b]0;evil\\x07 \\x1b[2J\\x0droot#"


def test_a_milestone_shows_by_name_and_sentence() -> None:
    it = Entry(1763805600.5, "client", "…", "", "punch.started", "Attempting")
    assert shown(it, 6, milestones=True) == (
        "client  2025-11-22 10:00:00.500+00:00  punch.started              Attempting"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 970.0),
        ("10 min", 400.0),
        ("0h", 1000.0),
        ("1970-01-01 00:01", 60.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
    ],
)
def test_since(text: str, expected: float) -> None:
    assert since(text, 1000.0) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "10", "-1h", "9999999h", "2026-13-01", "٣s"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(UsageProblem, match="^--since .* is not a time: say 30s"):
        since(text, 1000.0)
