"""Numbers and names that the node acts by and the judge judges by: each is written here and nowhere else."""

from __future__ import annotations

RELAY_PORT, PEER_PORT = 4011, 4012
"""Where a relay and a peer listen by default. The roles' own defaults are in roles/kaspa_node/vars/main.yml."""

PREFER_DIRECT, DIRECT_ONLY, RELAY_ONLY = PATH_POLICIES = ("prefer-direct", "direct-only", "relay-only")
"""What a Kaspa stream may run over: direct, or the relay if there is no direct one; only direct; only the relay."""

MAX_PUNCH_ATTEMPTS = 3
"""A hole punch is tried up to three times (DCUtR specification)."""
