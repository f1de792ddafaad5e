"""The two programs, wired: a relay, and a peer."""

from kaspa_node.node.peer import run_peer
from kaspa_node.node.relay import run_relay

__all__ = ["run_peer", "run_relay"]
