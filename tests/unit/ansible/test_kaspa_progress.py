from __future__ import annotations

from kaspa_progress import Heartbeat


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_runs_so_nothing_is_said() -> None:
    heartbeat = Heartbeat(Clock())
    assert heartbeat.line() is None
    heartbeat.task_started("Install")
    assert heartbeat.line() is None


def test_the_hosts_that_are_not_done() -> None:
    clock = Clock()
    heartbeat = Heartbeat(clock)
    heartbeat.task_started("Install")
    for host in ("relay", "server", "client"):
        heartbeat.host_started(host)
    heartbeat.host_ended("server")
    clock.now += 8
    assert heartbeat.line() == "... Install: still running on relay, client (8 s)"
    heartbeat.task_started("Next")
    assert heartbeat.line() is None
