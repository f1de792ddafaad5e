"""`fab start`, `fab stop`, `fab restart`."""

from __future__ import annotations

from operations import locks, services
from operations.fleet import on_all
from operations.inventory import Node
from operations.link import Link
from operations.operation import Call, operation
from operations.problems import OperationProblem

HOSTS = {"host": "only these hosts, with commas"}
GRACE = 20.0


@operation(timeout=60.0, changes=True, locks=True, help=HOSTS)
def start(call: Call, host: str | None = None) -> None:
    """Start the nodes that are not running, and wait until they answer."""
    _act(call, "start", host)


@operation(timeout=60.0, changes=True, locks=True, help=HOSTS)
def stop(call: Call, host: str | None = None) -> None:
    """Stop the nodes until the next start or boot."""
    _act(call, "stop", host)


@operation(timeout=60.0, changes=True, locks=True, help=HOSTS)
def restart(call: Call, host: str | None = None) -> None:
    """Restart the nodes, and wait until they answer; their sessions come back by themselves."""
    _act(call, "restart", host)


def _act(call: Call, action: services.Action, host: str | None) -> None:
    def work(node: Node, link: Link) -> services.Change:
        return services.act(link, node, action, timeout=call.timeout, dry_run=call.dry_run)

    nodes = call.inventory.some(host)
    with locks.held(call.report, nodes, timeout=call.timeout, seize=call.break_lock) as held:
        there = [node for node in nodes if node.name not in held.off]
        found = {**held.off, **on_all(there, work, timeout=call.timeout + GRACE)}
    for name, change in found.items():
        if isinstance(change, OperationProblem):
            continue
        call.report.host(name, {"service": change.state.as_dict(), "seconds": round(change.seconds, 3)})
        if change.text is not None:
            call.report.changed(change.text, name)
        else:
            running = "runs already" if change.state.active else f"is {change.state.state} already"
            call.report.say(f"{name}: {change.state.name} {running}, nothing changed")
    call.report.problems_of(found)
