"""The services on a host: their state, and start and stop of the node."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from operations import ask
from operations.inventory import CHECKOUT, Node
from operations.link import Link
from operations.problems import HostProblem, OperationProblem
from operations.supervisor import PYTHON

Action = Literal["start", "stop", "restart"]

POLL_SECONDS = 0.2
STOP_SECONDS = 30.0
_MODULE_UTILS = CHECKOUT / "ansible" / "plugins" / "module_utils"
_PROPERTIES = (
    *("Id", "LoadState", "ActiveState", "Result", "MainPID", "InvocationID", "NRestarts"),
    *("ActiveEnterTimestamp", "InactiveEnterTimestamp"),
)
_BROKEN = ("failed", "not-found")

# Plain processes use the same code as deploy (module kaspa_process).
_PROCESS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from kaspa_service import ProcessService, began
service = ProcessService(*sys.argv[3:])
try:
    if sys.argv[2] in ('stop', 'restart'):
        service.stop()
    if sys.argv[2] in ('start', 'restart') and not service.state().active:
        service.start_again()
except OSError as error:
    sys.exit(str(error))
state = service.state()
since = began(state.pid) if state.active else None
print(json.dumps({**state.as_dict(), 'since': since, 'known': bool(service.record())}))
"""


@dataclass(frozen=True)
class ServiceState:
    """The state of a service.

    state: systemd's ActiveState, `not-found` if it is not deployed. since: unix time of its start, or of
    its end. invocation: differs between two starts. result: systemd's reason for its end. restarts: by systemd itself.
    """

    name: str
    active: bool
    state: str
    pid: int
    invocation: str
    since: float | None = None
    result: str = ""
    restarts: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def states(link: Link, node: Node) -> dict[str, ServiceState]:
    """The node's service and the units of native programs, by name. Raises HostProblem."""
    if node.manager == "process":
        return {node.service: _process(link, node, "look")}
    units = [f"{name}.service" for name in (node.service, *node.native)]
    ran = link.run(["systemctl", "show", "--timestamp=unix", f"--property={','.join(_PROPERTIES)}", *units])
    if not ran.ok:
        raise HostProblem(f"systemd can't be asked: {ran.complaint}", node.name)
    return {state.name: state for state in parse_units(ran.text)}


def parse_units(text: str) -> list[ServiceState]:
    """Read what `systemctl show --timestamp=unix` prints of some units."""
    found = []
    for block in text.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        loaded = values.get("LoadState") != "not-found"
        active = values.get("ActiveState") == "active"
        since = values.get("ActiveEnterTimestamp" if active else "InactiveEnterTimestamp", "")
        found.append(
            ServiceState(
                name=values.get("Id", "").removesuffix(".service"),
                active=active,
                state=values.get("ActiveState", "unknown") if loaded else "not-found",
                pid=int(values.get("MainPID") or 0),
                invocation=values.get("InvocationID", ""),
                since=float(since[1:]) if since.startswith("@") else None,
                result=values.get("Result", "").replace("success", ""),
                restarts=int(values.get("NRestarts") or 0),
            )
        )
    return found


def state(link: Link, node: Node) -> ServiceState:
    """The node's own service. Raises HostProblem."""
    return states(link, node)[node.service]


@dataclass(frozen=True)
class Change:
    """What an action did, or would do with a dry run. text: None if nothing had to be done."""

    text: str | None
    state: ServiceState
    seconds: float = 0.0


def act(link: Link, node: Node, action: Action, *, timeout: float, dry_run: bool = False) -> Change:
    """Start, stop or restart the node, and wait until it answers, or is gone.

    Raises OperationProblem, with the last line of its log, if it does not come up within `timeout` seconds.
    """
    before = state(link, node)
    if before.state == "not-found":
        raise HostProblem(f"no {node.service} is deployed there: ansible-playbook deploy.yml", node.name)
    if before.active == (action == "start") and action != "restart":
        return Change(None, before)
    past = {"start": "started", "stop": "stopped", "restart": "restarted"}[action]
    if dry_run:
        return Change(f"{node.service} {past}", before)
    began = time.monotonic()
    if node.manager == "process":
        _process(link, node, action)
    else:
        ran = link.run(["systemctl", action, f"{node.service}.service"], timeout=STOP_SECONDS + timeout)
        # A node that can't start is systemd's failure, too. What its log says is the better reason, and comes below.
        if not ran.ok and (action == "stop" or state(link, node).state not in _BROKEN):
            raise OperationProblem(f"{node.service} can't be {past}: {ran.complaint}; {_last(link, node)}", node.name)
    after = state(link, node) if action == "stop" else answering(link, node, timeout=timeout)
    pid = f" (pid {after.pid})" if after.pid else ""
    return Change(f"{node.service} {past}{pid}", after, time.monotonic() - began)


def answering(link: Link, node: Node, *, timeout: float) -> ServiceState:
    """Wait until the node answers on its control socket. Raises OperationProblem, which says why it does not."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            answer = ask.status(link, node)
        except ask.NotAnswering as problem:
            now = state(link, node)
            if now.state in _BROKEN or (node.manager == "process" and not now.active):
                raise OperationProblem(f"{node.service} does not run: {_last(link, node)}", node.name) from None
            if time.monotonic() >= deadline:
                reason = f"{node.service} does not answer after {timeout:g} s: {problem.text}; {_last(link, node)}"
                raise OperationProblem(reason, node.name) from None
        else:
            now = state(link, node)
            if now.pid == answer.get("pid"):
                return now
            # The process that answered is about to end.
            if time.monotonic() >= deadline:
                raise OperationProblem(
                    f"another process than {node.service}'s answers on {node.paths.control}", node.name
                )
        time.sleep(POLL_SECONDS)


def _last(link: Link, node: Node) -> str:
    """The last line of the service's log, for a problem."""
    argv: Sequence[str] = ["tail", "--lines=1", str(node.paths.log)]
    if node.manager == "systemd":
        # Only its own lines: systemd's lines come last and say less.
        unit = f"_SYSTEMD_UNIT={node.service}.service"
        argv = ["journalctl", "--quiet", "--output=cat", "--lines=1", unit]
    ran = link.run(argv)
    line = ran.text.strip()
    return f"its log ends with: {line}" if ran.ok and line else "its log is empty"


def _process(link: Link, node: Node, action: str) -> ServiceState:
    words = [str(_MODULE_UTILS), action, node.service, str(node.paths.directory)]
    ran = link.run([PYTHON, "-I", "-B", "-c", _PROCESS, *words], timeout=STOP_SECONDS)
    if not ran.ok:
        raise OperationProblem(f"{node.service}: {ran.complaint}", node.name)
    found: Mapping[str, Any] = json.loads(ran.out)
    running = "active" if found["active"] else "inactive" if found["known"] else "not-found"
    return ServiceState(node.service, found["active"], running, found["pid"], found["invocation"], found["since"])
