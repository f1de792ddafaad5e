"""Many hosts at once: in parallel, each with its own end."""

from __future__ import annotations

import signal
import threading

import pytest

from operations import fleet
from operations.inventory import Node
from operations.link import Link
from operations.problems import HostProblem, OperationProblem
from tests.unit.operations.hosts import ScriptedLink, node

NODES = (node("relay", "relay"), node("server"), node("client"))


class Hosts:
    """Connects to hosts that are none, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.interrupted: dict[str, threading.Event] = {}
        self.closed: set[str] = set()

    def connect(self, node: Node, timeout: float, interrupted: threading.Event) -> Link:
        self.interrupted[node.name] = interrupted
        link = ScriptedLink()
        link.close = lambda: self.closed.add(node.name)  # type: ignore[method-assign]
        return link


def test_all_hosts_work_at_the_same_time() -> None:
    together = threading.Barrier(len(NODES), timeout=20)
    hosts = Hosts()
    found = fleet.on_all(NODES, lambda each, link: together.wait() >= 0, timeout=20, connect=hosts.connect)
    assert found == {"relay": True, "server": True, "client": True}
    assert hosts.closed == {"relay", "server", "client"}


def test_a_problem_of_one_is_no_problem_of_the_others() -> None:
    def work(each: Node, link: Link) -> str:
        if each.name == "server":
            raise OperationProblem("it broke")
        return each.role

    hosts = Hosts()
    found = fleet.on_all(NODES, work, timeout=20, connect=hosts.connect)
    assert (found["relay"], found["client"], str(found["server"])) == ("relay", "peer", "server: it broke")
    assert hosts.closed == {"relay", "server", "client"}


def test_who_takes_too_long_is_interrupted_and_told_of() -> None:
    hosts = Hosts()

    def work(each: Node, link: Link) -> str:
        if each.name == "client":
            assert hosts.interrupted["client"].wait(20)
        return "done"

    found = fleet.on_all(NODES, work, timeout=0.05, connect=hosts.connect)
    assert found["relay"] == "done"
    assert isinstance(found["client"], HostProblem)
    assert str(found["client"]) == "client: not done within 0.05 s; allow more with --timeout"


def test_ctrl_c_ends_what_runs_on_every_host() -> None:
    hosts = Hosts()
    together = threading.Barrier(len(NODES), timeout=20)
    ended = []

    def work(each: Node, link: Link) -> None:
        if together.wait() == 0:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert hosts.interrupted[each.name].wait(20)
        ended.append(each.name)

    with pytest.raises(KeyboardInterrupt):
        fleet.on_all(NODES, work, timeout=20, connect=hosts.connect)
    assert sorted(ended) == ["client", "relay", "server"]
    assert hosts.closed == {"relay", "server", "client"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_is_no_problem_of_a_host() -> None:
    with pytest.raises(RuntimeError, match="^the work on client ended by a defect"):
        fleet.on_all(NODES[2:], lambda each, link: [][0], timeout=20, connect=Hosts().connect)


def test_a_node_on_this_machine_needs_no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    local = node("workstation")
    object.__setattr__(local, "settings", fleet.ConnectionSettings(address=None))
    found = fleet.on_all([local], lambda each, link: link.run(["echo", "hello"]).text, timeout=20)
    assert found == {"workstation": "hello\n"}
