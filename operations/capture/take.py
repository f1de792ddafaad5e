"""Captures the packets at all places at the same time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operations import ask
from operations.capture import pcap
from operations.capture.plan import Place
from operations.capture.recorder import SOCKET, TCPDUMP, Recorder, command
from operations.capture.store import Taken
from operations.capture.targets import Router
from operations.connection_settings import ConnectionSettings
from operations.fleet import Connect, connect, on_all
from operations.inventory import Node
from operations.link import Link
from operations.problems import HostProblem, OperationProblem

_GRACE = 15.0
_FIND = "PATH=$PATH:/usr/sbin:/sbin; command -v tcpdump"


@dataclass(frozen=True)
class Limits:
    """seconds: of capturing. bytes: of each place's file."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Pings:
    """Traffic to capture: Kaspa pings in both directions over a session, from the peer at one end."""

    node: Node
    session: str
    count: int

    @property
    def name(self) -> str:
        """Among the places."""
        return f"pings of {self.node.name}"

    @property
    def settings(self) -> ConnectionSettings:
        """The peer's."""
        return self.node.settings


Target = Node | Router
Errand = Target | Pings


def lacking(
    targets: Sequence[Target], timeout: float, connect: Connect[Target] = connect
) -> dict[str, OperationProblem]:
    """The places at which no packets can be captured, by name."""

    def look(target: Target, link: Link) -> None:
        if not link.run([*_enter(target), "sh", "-c", _FIND]).ok:
            where = "on this machine" if target.settings.address is None else "there"
            raise HostProblem(f"tcpdump is not installed {where}: apt-get install tcpdump", target.name)

    found = on_all(targets, look, timeout=timeout, connect=connect)
    return {name: problem for name, problem in found.items() if isinstance(problem, OperationProblem)}


def take(
    places: Mapping[str, Place],
    targets: Sequence[Target],
    limits: Limits,
    *,
    one_user: bool = False,
    pings: Pings | None = None,
    timeout: float,
    connect: Connect[Errand] = connect,
) -> dict[str, Taken | dict[str, Any] | OperationProblem]:
    """The result of each place, by its name, or why there is none; and the result of the pings.

    targets: where the places are, by the same names. one_user: see Surroundings. timeout: seconds in addition to those
    of the capture. On Ctrl-C everything ends, and nothing is kept.
    """
    means = SOCKET if one_user else TCPDUMP
    recorders = {target.name: Recorder(limits.bytes) for target in targets}

    def reach(target: Errand, seconds: float, interrupted: threading.Event) -> Link:
        try:
            return connect(target, seconds, interrupted)
        except OperationProblem:
            if target.name in recorders:
                recorders[target.name].over()
            raise

    def work(target: Errand, link: Link) -> Taken | dict[str, Any]:
        if isinstance(target, Pings):
            for recorder in recorders.values():
                recorder.settled.wait()
            return ask.exercise(link, target.node, target.session, pings=target.count, timeout=limits.seconds)
        place, recorder = places[target.name], recorders[target.name]
        python = sys.executable if target.settings.address is None else target.settings.interpreter
        argv = command(python, means, limits.seconds, limits.bytes, place.interface, place.filter)
        try:
            link.stream([*_enter(target), *argv], recorder.line, timeout=limits.seconds + _GRACE, stop=_never())
        finally:
            recorder.over()
        return _taken(place, recorder)

    errands: list[Errand] = [*targets, *([pings] if pings else [])]
    return on_all(errands, work, timeout=limits.seconds + _GRACE + timeout, connect=reach)


def _taken(place: Place, recorder: Recorder) -> Taken:
    if recorder.failure is not None:
        raise HostProblem(f"no packets can be captured: {recorder.failure}", place.name)
    try:
        return Taken(place, pcap.read(recorder.content), recorder.dropped, recorder.full)
    except pcap.BadCapture as error:
        raise HostProblem(f"no packets can be captured: {error}", place.name) from None


def _enter(target: Target) -> tuple[str, ...]:
    return target.enter if isinstance(target, Router) else ()


def _never() -> threading.Event:
    """Only Ctrl-C stops it early, and the link handles that."""
    return threading.Event()
