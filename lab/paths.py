"""Where the lab keeps things: state below .lab, what is worth keeping between labs below .cache.

What the whole machine has to know, and sockets (their paths may only be short), is below /run/kaspa-lab.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
RUN = Path("/run/kaspa-lab")

OWNER = RUN / "owner.json"
"""Says which checkout's lab is up on this machine."""

CONTROL = RUN / "ssh"
"""Sockets of shared SSH connections; Ansible's too (inventory/lab)."""


@dataclass(frozen=True)
class Paths:
    """The lab's files below one checkout."""

    checkout: Path = CHECKOUT

    @property
    def state(self) -> Path:
        return self.checkout / ".lab"

    @property
    def bases(self) -> Path:
        return self.checkout / ".cache" / "lab-base"

    @property
    def hosts(self) -> Path:
        return self.state / "hosts"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def ssh(self) -> Path:
        """The lab's key, and the hosts' keys."""
        return self.state / "ssh"

    @property
    def key(self) -> Path:
        return self.ssh / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.ssh / "known_hosts"

    @property
    def state_file(self) -> Path:
        return self.state / "state.json"

    @property
    def local(self) -> Path:
        """State of the rootless lab."""
        return self.state / "local"
