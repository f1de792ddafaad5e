"""fab logs on the deployed lab."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from typing import IO

import pytest

from lab.topology import HOSTS
from lab.waiting import until
from operations.log_lines import stamp
from tests.fabric import Fab, begin
from tests.lab.scenes import PATIENCE, on
from tests.lab.test_operations_status import connected

pytestmark = pytest.mark.usefixtures("deployed")

NAMES = ("relay", "server", "client")
LINE = re.compile(r"(relay|server|client) +(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+00:00) +(.*)")


def parsed(text: str) -> list[tuple[str, str, str]]:
    """Host, time and the rest of each line."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [(match[1], match[2], match[3]) for match in found if match]


def readers() -> dict[str, str]:
    """What still reads a journal on the hosts."""
    return {each.name: on(each.name, "pgrep -a journalctl || true") for each in HOSTS}


def test_the_newest_lines_of_all_hosts_by_time(fab: Fab) -> None:
    done = fab("logs", "-n", "5")
    assert (done.code, done.complaints) == (0, [])
    lines = parsed(done.out)
    assert {host: sum(line[0] == host for line in lines) for host in NAMES} == dict.fromkeys(NAMES, 5)
    assert [time for _, time, _ in lines] == sorted(time for _, time, _ in lines)
    newest = on("client", "journalctl -q -o cat -n 1 -u kaspa-peer")
    assert [f"{time} {rest}" for host, time, rest in lines if host == "client"][-1] == newest


def test_milestones_by_name(fab: Fab) -> None:
    lines = parsed(fab("logs", "--milestones", "--host", "client,server", "--since", "1d").out)
    assert {host for host, _, _ in lines} == {"client", "server"}
    names = [rest.split()[0] for _, _, rest in lines]
    assert {"node.started", "reservation.accepted", "punch.succeeded", "kaspa.ready.received"} <= set(names)
    assert all(re.fullmatch(r"[a-z]+(\.[a-z_]+)+", name) for name in names)


def test_since(fab: Fab) -> None:
    assert fab("logs", "--since", "2000-01-01").out.count("\n") > fab("logs", "-n", "1").out.count("\n")
    assert fab("logs", "--since", "2100-01-01").out == ""


def test_json(fab: Fab) -> None:
    found = fab("logs", "-n", "2", "--json", "--host", "relay").document
    assert [set(entry) for entry in found["hosts"]["relay"]] == [{"time", "origin", "milestone", "text"}] * 2


def first_line(stream: IO[str] | None) -> str:
    assert stream
    return stream.readline()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGKILL, -9)])
def test_following_ends_without_a_trace(number: signal.Signals, code: int) -> None:
    process = begin("logs", "--follow", "-n", "1")
    try:
        assert first_line(process.stdout)
        assert until(lambda: all(readers().values()), timeout=PATIENCE, pause=0.1), readers()
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, errors) == (code, "")
    assert until(lambda: not any(readers().values()), timeout=PATIENCE, pause=0.1), readers()


def test_following_shows_what_comes() -> None:
    process = begin("logs", "--follow", "-n", "1", "--json", "--host", "client", "--timeout", str(2 * PATIENCE))
    try:
        assert until(lambda: bool(readers()["client"]), timeout=PATIENCE, pause=0.1)
        on("client", "systemctl restart kaspa-peer")
        assert process.stdout
        seen = set[str]()
        while "node.started" not in seen:
            seen.add(json.loads(process.stdout.readline())["milestone"])
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert "node.stopped" in seen
    assert json.loads(rest.splitlines()[-1])["ok"] is True
    assert until(connected, timeout=2 * PATIENCE, pause=0.2)


def test_following_for_a_while(fab: Fab) -> None:
    began = stamp(time.time())
    done = fab("logs", "--follow", "-n", "1", "--timeout", "0.5", "--host", "relay")
    assert (done.code, done.complaints) == (0, [])
    newest, *later = parsed(done.out)
    assert newest[0] == "relay"
    # Whatever the node has come to say meanwhile.
    assert [line for line in later if line[1] < began] == []


def test_a_reader_that_has_read_enough() -> None:
    process = begin("logs", "--since", "1d")
    assert process.stdout
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == ""
    assert isinstance(process, subprocess.Popen)
    process.wait(PATIENCE)
