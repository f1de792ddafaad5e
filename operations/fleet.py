"""Many hosts at once, each with a link of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from operations.link import Link
from operations.problems import HostProblem, OperationProblem
from operations.way import Way


class Target(Protocol):
    """Where something can be done: a node, or a place with a name of its own."""

    @property
    def name(self) -> str: ...

    @property
    def way(self) -> Way: ...


T = TypeVar("T")
N = TypeVar("N", bound=Target)
Connect = Callable[[N, float, threading.Event], Link]

_GRACE = 8.0
"""Seconds that hosts get to end what was started there, once time is up or somebody has pressed Ctrl-C."""


def connect(node: Target, timeout: float, interrupted: threading.Event) -> Link:
    """A link to a host. timeout: seconds until it is given up. Raises HostProblem.

    interrupted: once it is set, whatever runs through the link is ended, and nothing more can be run.
    """
    if node.way.address is None:
        from operations.local_link import LocalLink

        return LocalLink(node.name, node.way, interrupted)
    # paramiko is slow to import, and inventories without SSH can do without it.
    from operations.ssh_link import SshLink

    return SshLink(node.name, node.way, interrupted, timeout)


def on_all(
    nodes: Iterable[N],
    work: Callable[[N, Link], T],
    *,
    timeout: float,
    connect: Connect[N] = connect,
) -> dict[str, T | OperationProblem]:
    """Do something on all hosts at the same time; by host what it came to, or the problem that it met with.

    timeout: seconds for each host, from the connection on. On Ctrl-C all that runs on the hosts through these links is
    ended, then KeyboardInterrupt goes on.
    """
    errands = [_Errand(node, work, connect, timeout) for node in nodes]
    # Loaded here once: two threads that import the same library at a time can deadlock in it.
    if any(errand.node.way.address is not None for errand in errands):
        import operations.ssh_link  # noqa: F401
    deadline = time.monotonic() + timeout
    for errand in errands:
        errand.start()
    try:
        for errand in errands:
            errand.join(max(0.0, deadline - time.monotonic()))
    except KeyboardInterrupt:
        _end(errands)
        raise
    late = [errand for errand in errands if errand.is_alive()]
    for errand in late:
        errand.too_late = True
    _end(late)
    return {errand.node.name: errand.outcome() for errand in errands}


def _end(errands: Iterable[_Errand[N, T]]) -> None:
    running = [errand for errand in errands if errand.is_alive()]
    for errand in running:
        errand.interrupted.set()
    deadline = time.monotonic() + _GRACE
    for errand in running:
        errand.join(max(0.0, deadline - time.monotonic()))


class _Errand(threading.Thread, Generic[N, T]):
    """The work on one host. A thread that is no daemon would hold up the end of the program by its connect."""

    def __init__(self, node: N, work: Callable[[N, Link], T], connect: Connect[N], timeout: float) -> None:
        super().__init__(name=f"on {node.name}", daemon=True)
        self.node = node
        self.interrupted = threading.Event()
        self.too_late = False
        self._work = work
        self._connect = connect
        self._timeout = timeout
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

    def outcome(self) -> T | OperationProblem:
        """What it came to."""
        if self.too_late:
            return HostProblem(f"not done within {self._timeout:g} s; allow more with --timeout", self.node.name)
        if not self._outcome:
            raise RuntimeError(f"the work on {self.node.name} ended by a defect, see above")
        return self._outcome[0]
