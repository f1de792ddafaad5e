"""What identifies a run, whether it is still alive, and who holds a lock, in words."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_holder as runs

NOW = datetime(2026, 11, 30, 23, 15, 5, tzinfo=UTC)


def holder(run: str, since: str = "2026-11-30T23:12:05+00:00") -> dict[str, str]:
    return {"id": run, "who": "ann@laptop", "what": "deploy.yml", "since": since}


def test_a_running_process_is_not_dead() -> None:
    assert not runs.dead(holder(runs.run_id(os.getpid())))


def test_a_process_that_has_ended_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run = runs.run_id(process.pid)
        assert not runs.dead(holder(run))
    assert runs.dead(holder(run))


def test_another_process_with_the_same_number_is_another_run() -> None:
    assert runs.dead(holder(f"{runs.controller()}:{os.getpid()}:1"))


@pytest.mark.parametrize("run", ["another-controller:1:1", f"{platform.node()}:1:1", "unknown", "", "a:b", ":::"])
def test_of_another_controllers_run_nothing_is_known(run: str) -> None:
    assert not runs.dead(holder(run))


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("2026-11-30T23:12:05+00:00", "ann@laptop, deploy.yml, since 2026-11-30 23:12:05 UTC (3 min ago)"),
        ("unknown", "ann@laptop, deploy.yml, since unknown"),
        ("2026-11-30T23:12:05", "ann@laptop, deploy.yml, since 2026-11-30T23:12:05"),
    ],
)
def test_a_holder_is_described_in_one_line(since: str, said: str) -> None:
    assert runs.described(holder("x", since), NOW) == said


def test_a_run_that_began_in_the_future_is_told_without_a_negative_time() -> None:
    assert runs.described(holder("x", "2026-11-30T23:20:05+00:00"), NOW).endswith("23:20:05 UTC (by another clock)")


def test_a_container_does_not_take_a_process_that_it_can_not_see_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.run_id(os.getpid())
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[4026532199]")
    assert not runs.dead(holder(run.replace(f":{os.getpid()}:", ":999999999:")))


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert runs.holder_for("x", "deploy.yml", NOW)["who"] == f"{os.getuid()}@{platform.node()}"


class Lock:
    """A lock on a host, and what takes it meanwhile."""

    def __init__(self, present: dict[str, str] | None, meanwhile: dict[str, str] | None = None) -> None:
        self.present, self.meanwhile = present, meanwhile

    def take(self, instead_of: str) -> dict[str, str]:
        if self.present is None or self.present["id"] == instead_of:
            self.present = self.meanwhile or OURS
        return self.present


OURS, BOB, DEAD = holder("ours"), holder("another-controller:1:1"), holder(f"{runs.controller()}:{os.getpid()}:1")
TOLD = "ann@laptop, deploy.yml, since 2026-11-30 23:12:05 UTC (3 min ago)"


@pytest.mark.parametrize(
    ("lock", "seize", "held", "told"),
    [
        (Lock(None), False, True, ""),
        (Lock(BOB), False, False, TOLD),
        (Lock(BOB), True, True, f"the lock of {TOLD} is taken over"),
        (Lock(DEAD), False, True, f"the lock of {TOLD} is taken over, because that run is dead"),
        (Lock(DEAD, BOB), False, False, TOLD),
    ],
    ids=["free", "held", "seized", "dead", "dead-and-another-was-faster"],
)
def test_a_lock_is_claimed(lock: Lock, seize: bool, held: bool, told: str) -> None:
    assert runs.claim(OURS, lock.take, NOW, seize=seize) == (held, told)
