from __future__ import annotations

import io
import threading

import pytest

from progress import Progress, together


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_task_ends_with_its_last_detail_and_its_seconds() -> None:
    clock, out = Clock(), io.StringIO()
    progress = Progress(out, clock)
    clock.now += 2
    with progress.task("wheels") as task:
        task.detail = "3 of 7"
        clock.now += 5
        task.detail = "7 of 7"
    assert out.getvalue() == "[   7 s] wheels: 7 of 7 (5 s)\n"


def test_a_beat_tells_how_far_all_running_tasks_are() -> None:
    out = io.StringIO()
    progress = Progress(out, Clock())
    progress.beat()
    with progress.task("one") as one, progress.task("other") as other:
        one.detail = "half"
        other.detail = lambda: "looked"
        progress.beat()
    assert out.getvalue().splitlines()[0] == "[   0 s] … one: half | other: looked"


def test_a_failed_task_is_not_said_to_have_ended() -> None:
    out = io.StringIO()
    progress = Progress(out, Clock())
    with pytest.raises(KeyError), progress.task("wheels"):
        raise KeyError
    progress.beat()
    assert out.getvalue() == ""


def test_the_heart_beats_until_the_block_ends() -> None:
    beaten = threading.Event()

    class Told(io.StringIO):
        def write(self, text: str) -> int:
            beaten.set()
            return super().write(text)

    progress = Progress(Told(), interval=0.001)
    with progress.heartbeat(), progress.task("wheels"):
        assert beaten.wait(timeout=10)


def test_jobs_run_at_once_and_the_first_error_is_raised_when_all_have_ended() -> None:
    meet = threading.Barrier(2, timeout=10)
    ended: list[str] = []

    def good() -> None:
        meet.wait()
        ended.append("good")

    def bad() -> None:
        meet.wait()
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        together(bad, good)
    assert ended == ["good"]
