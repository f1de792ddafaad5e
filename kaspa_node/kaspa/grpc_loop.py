"""The one thread in which gRPC's calls live, however many there are.

grpcio's sync API needs two threads for a call and stops serving without a word if it gets none. Its asyncio API needs
none: all calls of the process, in and out, share this loop, and grpcio's own few threads under it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import trio

OURS, GRPCS, TRIOS = 2, 34, 40
THREADS = OURS + GRPCS + TRIOS
"""Threads of a node at most, by design, whatever peers do.

Ours are trio's and this loop's. grpcio has a poller, a pool of up to sixteen that may double while all are busy, and
one that watches the pool. trio's are for name look-ups. The unit's TasksMax is twice that
(`_kaspa_node_tasks_max` in roles/kaspa_node/vars/main.yml; a test compares).
"""


class GrpcLoop:
    """An asyncio loop in a daemon thread. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._watchers: set[tuple[trio.lowlevel.TrioToken, Callable[[], None]]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="kaspa-grpc", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive() and not self._loop.is_closed()

    def soon(self, call: Callable[..., object], *args: object) -> bool:
        """Have `call` called in the loop; false if the loop is gone."""
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            # That is how asyncio says that a loop is closed.
            return False
        return True

    def start(self, work: Coroutine[None, None, None]) -> bool:
        """Run `work` as a task of the loop; false if the loop is gone."""
        if self.soon(self._start, work):
            return True
        work.close()
        return False

    async def run(self, work: Coroutine[None, None, None]) -> None:
        """In trio: run `work` in the loop and wait for its end; raises what it raises. Can't be cancelled."""
        done = trio.Event()
        errors: list[OSError | RuntimeError] = []
        token = trio.lowlevel.current_trio_token()

        async def reporting() -> None:
            try:
                await work
            except (OSError, RuntimeError) as error:
                errors.append(error)
            finally:
                in_trio(token, done.set)

        with self.watched(done.set), trio.CancelScope(shield=True):
            if self.start(reporting()):
                await done.wait()
            else:
                work.close()
        for error in errors:
            raise error

    @contextmanager
    def watched(self, on_end: Callable[[], None]) -> Iterator[None]:
        """In trio: within the block, have `on_end` called there when the loop ends, which it never does by itself."""
        watcher = (trio.lowlevel.current_trio_token(), on_end)
        self._watchers.add(watcher)
        try:
            yield
        finally:
            self._watchers.discard(watcher)

    def stop(self) -> None:
        """End the loop, and with it every call."""
        self.soon(self._loop.stop)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        # asyncio itself keeps no more than a weak reference to a task.
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()
            for token, on_end in list(self._watchers):
                in_trio(token, on_end)


def in_trio(token: trio.lowlevel.TrioToken, call: Callable[..., object], *args: object) -> bool:
    """Have `call` called in trio's thread; false if trio has ended."""
    try:
        token.run_sync_soon(call, *args)
    except trio.RunFinishedError:
        return False
    return True


_lock = threading.Lock()
_shared: GrpcLoop | None = None


def shared() -> GrpcLoop:
    """The process's loop: one, because grpcio has one completion queue for all asyncio loops of a process."""
    global _shared
    with _lock:
        if _shared is None or not _shared.alive:
            _shared = GrpcLoop()
        return _shared
