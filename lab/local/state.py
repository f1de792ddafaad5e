"""The state of `lab.local up`; others read it from .lab/local/state.json (inventory/local does)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.topology import HOSTS

NAMESPACES = "namespaces"
LOOPBACK = "loopback"
LOOPBACK_ADDRESSES = {"relay": "127.0.0.10", "client": "127.0.0.20", "server": "127.0.0.30"}


@dataclass
class State:
    """`mode` is how the hosts are separated, `reason` why there are no namespaces.

    `hosts` gives each host's address; `pids` the process that keeps each namespace (none on loopback).
    """

    mode: str
    reason: str | None = None
    rtt_ms: float = 0.0
    jitter_ms: float = 0.0
    holder: int | None = None
    pids: dict[str, int] = field(default_factory=dict)
    nat: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, dict[str, str]] = field(default_factory=dict)

    def write(self, file: Path) -> None:
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n")
        partial.replace(file)

    @classmethod
    def read(cls, file: Path) -> State | None:
        """None if nothing was brought up, or the file is damaged."""
        try:
            return cls(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            return None


def loopback(reason: str | None) -> State:
    """The hosts on addresses of the loopback network; no NAT and no delay."""
    return State(LOOPBACK, reason, hosts={host.name: {"address": LOOPBACK_ADDRESSES[host.name]} for host in HOSTS})
