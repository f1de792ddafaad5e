"""Shows running tasks and their progress on the terminal; several tasks may run at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TextIO

Detail = str | Callable[[], str]


class Task:
    """One longer task. `detail` is its progress: a text, or a function that returns one."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail: Detail = ""

    def __str__(self) -> str:
        detail = self.detail if isinstance(self.detail, str) else self.detail()
        return f"{self.title}: {detail}" if detail else self.title


class Progress:
    """Prints a line when a task ends, and one every `interval` seconds while any runs. Times count from the start."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic, interval: float = 3.0
    ) -> None:
        self._stream = stream or sys.stdout
        self._clock = clock
        self._interval = interval
        self._start = clock()
        self._tasks: list[Task] = []
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        """Seconds since this object was made."""
        return self._clock() - self._start

    def say(self, text: str) -> None:
        """Print one line with the time before it."""
        with self._lock:
            print(f"[{self.elapsed:4.0f} s] {text}", file=self._stream, flush=True)

    @contextmanager
    def task(self, title: str) -> Iterator[Task]:
        """A task that runs during the block. Its last line has its last detail."""
        task = Task(title)
        began = self.elapsed
        self._tasks.append(task)
        try:
            yield task
        finally:
            self._tasks.remove(task)
        self.say(f"{task} ({self.elapsed - began:.0f} s)")

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """During the block, print the progress of the running tasks at every interval."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(self._interval):
                self.beat()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def beat(self) -> None:
        """Print the progress of the running tasks."""
        running = [str(task) for task in self._tasks]
        if running:
            self.say("… " + " | ".join(running))


def together(*jobs: Callable[[], None]) -> None:
    """Run the jobs at once and wait for all; then raise the first one's error, in the order given."""
    with ThreadPoolExecutor(max_workers=max(1, len(jobs))) as pool:
        futures = [pool.submit(job) for job in jobs]
    for future in futures:
        future.result()
