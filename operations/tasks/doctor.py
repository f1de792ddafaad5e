"""`fab doctor`."""

from __future__ import annotations

from operations import state
from operations.inventory import Inventory, Node
from operations.operation import Call, operation
from operations.problems import HostProblem, UsageProblem


@operation(timeout=60.0, words=("a", "b"), help={"a": "a peer", "b": "the other peer; without, every pair"})
def doctor(call: Call, a: str = "", b: str = "") -> None:
    """Why a pair is not direct, from root cause to symptom, and what to try next; changes nothing."""
    # The doctor reads settings as the node does, with the node's libraries; other tasks should not wait for their
    # import.
    from operations.doctor import show
    from operations.doctor.diagnose import diagnose
    from operations.doctor.gather import Asking, gather

    pairs = [_turned(*call.inventory.pair(a, b or None))] if a else _all_pairs(call.inventory)
    remembered = state.peer_ids(call.inventory, call.report)
    facts = gather(Asking(call.inventory, _asked(call.inventory, pairs), call.timeout, remembered), _names(pairs))
    for name, host in facts.hosts.items():
        call.report.host(name, show.host_json(facts, host))
        if host.unreachable is not None:
            call.report.problem(HostProblem(host.unreachable, name))
    call.report.table("what was found", show.HEAD, show.rows(facts))
    found = [diagnose(facts, dialer, dialed) for dialer, dialed in _names(pairs)]
    call.report.add("pairs", [show.as_json(each, call.report.advice) for each in found])
    for each in found:
        call.report.say(call.report.advice("\n" + "\n".join(show.lines(each))))
        if not each.well:
            call.report.failed()


Pairs = list[tuple[Node, Node]]


def _names(pairs: Pairs) -> list[tuple[str, str]]:
    return [(dialer.name, dialed.name) for dialer, dialed in pairs]


def _turned(one: Node, other: Node) -> tuple[Node, Node]:
    """The peer that dials according to the inventory is the first, in either order of the names."""
    return (other, one) if one.name in other.dials and other.name not in one.dials else (one, other)


def _all_pairs(inventory: Inventory) -> Pairs:
    found = [inventory.pair(peer.name, dialed) for peer in inventory.peers for dialed in peer.dials]
    if not found:
        raise UsageProblem(f"no peer of {inventory.source} dials another; set kaspa_peer_dials, or name two peers")
    return found


def _asked(inventory: Inventory, pairs: Pairs) -> tuple[Node, ...]:
    """The relays first, then the peers of the pairs."""
    peers = {node.name: node for pair in pairs for node in pair}
    relays = {name for node in peers.values() for name in node.variable("kaspa_peer_relays", [])}
    return (*(relay for relay in inventory.relays if relay.name in relays), *peers.values())
