"""Tasks that are ended while they run, by Ctrl-C or from outside: nothing of them is left on any host."""

from __future__ import annotations

import signal

import pytest

from lab.topology import HOSTS
from lab.waiting import until
from tests.fabric import begin, fab
from tests.lab.scenes import PATIENCE, in_place, on

pytestmark = pytest.mark.usefixtures("deployed")

SUPERVISOR = "#kaspa-supervisor"


def running(text: str) -> list[str]:
    """The hosts on which a command line with the text runs."""
    return [each.name for each in HOSTS if in_place(each.name, text)]


def end(number: signal.Signals, text: str, hosts: list[str], *words: str) -> tuple[int, str]:
    """Run a task, end it once the text is in command lines of these hosts; its exit code and what it complained of."""
    process = begin(*words)
    try:
        assert until(lambda: running(text) == hosts, timeout=PATIENCE, pause=0.1), running(text)
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    if number is signal.SIGINT:
        assert running(text) == []
    assert until(lambda: not running(text) and not running(SUPERVISOR), timeout=PATIENCE, pause=0.1), running(text)
    return process.returncode, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGKILL, -9)])
def test_logs_that_are_followed(number: signal.Signals, code: int) -> None:
    assert end(number, " --follow --no-tail ", ["relay", "server", "client"], "logs", "--follow") == (code, "")


def test_a_dial_that_waits() -> None:
    on("server", "systemctl kill --signal STOP kaspa-peer")
    try:
        found = end(signal.SIGINT, "kaspa_node session", ["client"], "dial", "client", "server")
    finally:
        on("server", "systemctl kill --signal CONT kaspa-peer")
        assert fab("dial", "client", "server").code == 0
    assert found == (130, "interrupted; what ran on the hosts was ended\n")
