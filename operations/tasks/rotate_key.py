"""`fab rotate-key`."""

from __future__ import annotations

from operations.keys import rotation
from operations.operation import Call, operation


@operation(timeout=60.0, changes=True, help={"host": "the host that gets a new key"})
def rotate_key(call: Call, host: str) -> None:
    """Make a new key for a host, tell all other hosts, and destroy the old key."""
    scene = rotation.Scene(call.inventory, call.source, call.report, call.timeout)
    rotation.rotate(scene, call.inventory.node(host))
