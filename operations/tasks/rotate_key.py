"""`fab rotate-key`."""

from __future__ import annotations

from operations import locks
from operations.keys import rotation
from operations.operation import Call, operation


@operation(timeout=60.0, changes=True, locks=True, help={"host": "the host that gets a new key"})
def rotate_key(call: Call, host: str) -> None:
    """Make a new key for a host, tell all other hosts, and destroy the old key."""
    node = call.inventory.node(host)
    with locks.held(call.report, call.inventory.nodes.values(), timeout=call.timeout, seize=call.break_lock) as held:
        if host in held.off:
            raise held.off[host]
        scene = rotation.Scene(call.inventory, call.sources, call.report, call.timeout, held.run)
        rotation.rotate(scene, node)
