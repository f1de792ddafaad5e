"""Many hosts at once, each with its own link."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from operations.connection_settings import ConnectionSettings
from operations.link import Link
from operations.problems import HostProblem, OperationProblem


class Target(Protocol):
    """Where something can be done: a node, or another place with a name."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> ConnectionSettings: ...


T = TypeVar("T")
N = TypeVar("N", bound=Target)
Connect = Callable[[N, float, threading.Event], Link]

_GRACE = 8.0
"""Seconds that hosts get to end their commands after a timeout or Ctrl-C."""
_TICK = 0.2


def connect(node: Target, timeout: float, interrupted: threading.Event) -> Link:
    """A link to a host. timeout: seconds to connect. Raises HostProblem.

    interrupted: when it is set, commands of the link end, and no new ones can start.
    """
    if node.settings.address is None:
        from operations.local_link import LocalLink

        return LocalLink(node.name, node.settings, interrupted)
    # paramiko is slow to import, and inventories without SSH don't need it.
    from operations.ssh_link import SshLink

    return SshLink(node.name, node.settings, interrupted, timeout)


def on_all(
    nodes: Iterable[N],
    work: Callable[[N, Link], T],
    *,
    timeout: float,
    connect: Connect[N] = connect,
) -> dict[str, T | OperationProblem]:
    """Do something on all hosts at the same time; returns the result or the problem of each host.

    timeout: seconds for each host, from the connection on. On Ctrl-C all commands on the hosts are
    ended, then KeyboardInterrupt propagates.
    """
    ended: queue.SimpleQueue[None] = queue.SimpleQueue()
    errands = [_Errand(node, work, connect, timeout, ended) for node in nodes]
    # Imported here once, because two threads that import the same library at the same time can deadlock.
    if any(errand.node.settings.address is not None for errand in errands):
        import operations.ssh_link  # noqa: F401
    deadline = time.monotonic() + timeout
    try:
        for errand in errands:
            errand.start()
        _wait(errands, ended, deadline)
    except KeyboardInterrupt:
        _end(errands, ended)
        raise
    late = [errand for errand in errands if not errand.ended]
    for errand in late:
        errand.too_late = True
    _end(late, ended)
    return {errand.node.name: errand.outcome() for errand in errands}


def _end(errands: Sequence[_Errand[N, T]], ended: queue.SimpleQueue[None]) -> None:
    for errand in errands:
        errand.interrupted.set()
    _wait([errand for errand in errands if errand.is_alive()], ended, time.monotonic() + _GRACE)


def _wait(errands: Sequence[_Errand[N, T]], ended: queue.SimpleQueue[None], deadline: float) -> None:
    """Until all have ended, or the deadline is over.

    Joins and events can't be used, because Ctrl-C may interrupt them at any point: up to Python 3.12 a thread whose
    join was interrupted counts as ended although it continues (CPython issue 90882), and an event may stay locked. A
    signal just before a wait is noticed only after it, so the waits are short.
    """
    while not all(errand.ended for errand in errands) and (left := deadline - time.monotonic()) > 0:
        with contextlib.suppress(queue.Empty):
            ended.get(timeout=min(left, _TICK))


class _Errand(threading.Thread, Generic[N, T]):
    """The work on one host. The thread is a daemon; otherwise its connect would delay the end of the program.

    ended: true at its end, which it reports in the queue.
    """

    def __init__(
        self,
        node: N,
        work: Callable[[N, Link], T],
        connect: Connect[N],
        timeout: float,
        told: queue.SimpleQueue[None],
    ) -> None:
        super().__init__(name=f"on {node.name}", daemon=True)
        self.node = node
        self.interrupted = threading.Event()
        self.ended = False
        self.too_late = False
        self._work = work
        self._connect = connect
        self._timeout = timeout
        self._told = told
        self._outcome: list[T | OperationProblem] = []

    def run(self) -> None:
        """The thread."""
        try:
            link = self._connect(self.node, self._timeout, self.interrupted)
            try:
                self._outcome.append(self._work(self.node, link))
            finally:
                link.close()
        except OperationProblem as problem:
            if problem.host is None:
                problem.host = self.node.name
            self._outcome.append(problem)
        finally:
            self.ended = True
            self._told.put(None)

    def outcome(self) -> T | OperationProblem:
        """Its result."""
        if self.too_late:
            return HostProblem(f"not done within {self._timeout:g} s; allow more with --timeout", self.node.name)
        if not self._outcome:
            # Its traceback is shown at the end.
            self.join()
            raise RuntimeError(f"the work on {self.node.name} ended by a defect, see above")
        return self._outcome[0]
