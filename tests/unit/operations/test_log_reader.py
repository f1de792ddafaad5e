"""A node's log, out of the system's journal or a file."""

from __future__ import annotations

import json

import pytest

from operations import log_reader
from operations.log_lines import Entry
from operations.log_reader import Read, Wanted
from operations.problems import OperationProblem
from tests.unit.operations.hosts import ScriptedLink, node, printed

STAMP = "2025-11-22 10:00:0{}.000+00:00 [INFO ] {}"
FIRST = 1763805600.0


def journal(*messages: str) -> str:
    return "".join(
        json.dumps({"MESSAGE": text, "__REALTIME_TIMESTAMP": "1000000", "__CURSOR": f"c{number}"}) + "\n"
        for number, text in enumerate(messages)
    )


def texts(read: Read) -> list[str]:
    return [entry.text for entry in read.entries]


def test_the_newest_lines_of_the_unit() -> None:
    link = ScriptedLink({"journalctl": journal("one", "two")})
    read = log_reader.read(link, node(kaspa_native_programs=["server"]), Wanted(lines=5))
    assert (texts(read), read.cursor) == (["one", "two"], "c1")
    argv = link.asked[0]
    assert "--lines=5" in argv
    assert {"--unit=kaspa-peer.service", "--unit=kaspa-native-server.service"} <= set(argv)


def test_milestones_alone() -> None:
    ready = STAMP.format(1, "accepted ready message: ReadyMessage milestone=kaspa.ready.received session=a.1 peer=x")
    link = ScriptedLink({"journalctl": journal("one", ready, STAMP.format(2, "two"))})
    read = log_reader.read(link, node(kaspa_native_programs=["server"]), Wanted(lines=1, milestones=True))
    assert (texts(read), read.cursor) == ([ready], "c2")
    assert "--unit=kaspa-native-server.service" not in link.asked[0]


def test_since_a_moment() -> None:
    link = ScriptedLink({"journalctl": journal(STAMP.format(1, "old"), STAMP.format(3, "new"))})
    read = log_reader.read(link, node(), Wanted(since=FIRST + 2))
    assert texts(read) == [STAMP.format(3, "new")]
    assert f"--since=@{int(FIRST + 2)}" in link.asked[0]


def test_the_log_of_a_plain_process() -> None:
    text = "\n".join([STAMP.format(1, "one"), "| trace", STAMP.format(2, "two")])
    link = ScriptedLink({"sh": printed(f"123\n{text}\n")})
    read = log_reader.read(link, node(manager="process"), Wanted(lines=3))
    assert read.offset == 123
    assert [entry.time - FIRST for entry in read.entries] == [1, 1, 2]
    assert link.asked[0][-2:] == ["/local/client/kaspa-peer.log", "3"]


def test_an_empty_log() -> None:
    assert log_reader.read(ScriptedLink({"sh": "0\n"}), node(manager="process"), Wanted()) == Read((), offset=0)
    assert log_reader.read(ScriptedLink({"journalctl": ""}), node(), Wanted()) == Read(())


def test_a_log_that_can_not_be_read() -> None:
    with pytest.raises(OperationProblem, match="^client: the journal can't be read: no access$"):
        log_reader.read(ScriptedLink({"journalctl": printed("", 1, "no access")}), node(), Wanted())
    link = ScriptedLink({"sh": printed("", 1, "stat: cannot statx 'x': No such file or directory")})
    with pytest.raises(OperationProblem, match="^client: its log can't be read: .*; is it deployed"):
        log_reader.read(link, node(manager="process"), Wanted())


def follow(link: ScriptedLink, manager: str, after: Read, wanted: Wanted) -> list[str]:
    found: list[Entry] = []
    log_reader.follow(link, node(manager=manager), after, wanted, found.append, timeout=5)
    return [entry.text for entry in found]


def test_following_begins_where_reading_ended() -> None:
    link = ScriptedLink({"journalctl": journal("new") + "-- Reboot --\n", "tail": "more\n"})
    assert follow(link, "systemd", Read((), cursor="c7"), Wanted()) == ["new"]
    assert link.asked[-1][-3:] == ["--follow", "--no-tail", "--after-cursor=c7"]
    assert follow(link, "systemd", Read(()), Wanted(milestones=True)) == []
    assert link.asked[-1][-1] == "--lines=0"
    assert follow(link, "process", Read((), offset=99), Wanted()) == ["more"]
    assert "--bytes=+100" in link.asked[-1]
