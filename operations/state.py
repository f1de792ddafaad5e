"""What the controller remembers of the hosts: the state files of an inventory, which deploy writes."""

from __future__ import annotations

from kaspa_state_file import Entries, StateError, path_for, read

from operations.inventory import Inventory
from operations.problems import OperationProblem
from operations.report import Report


def files(inventory: Inventory) -> dict[str, str]:
    """Of each host the path of the file that has its entry; "" if there can be none."""
    return {
        node.name: path_for(node.variable("kaspa_fleet_state_file"), node.variable("inventory_file"))
        for node in inventory.nodes.values()
    }


def peer_ids(inventory: Inventory, report: Report) -> dict[str, str]:
    """The peer id of each host that is remembered. A file that can't be used is reported."""
    found: dict[str, str] = {}
    by_host = files(inventory)
    for path in sorted({*by_host.values()} - {""}):
        try:
            entries: Entries = read(path)
        except StateError as problem:
            report.problem(OperationProblem(str(problem)))
            continue
        found |= {name: entries[name]["peer_id"] for name in by_host if by_host[name] == path and name in entries}
    return found
