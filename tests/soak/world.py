"""Two relays and three peers in a rootless lab, and everything that a soak does to them.

The second relay and the third peer are further addresses of the public host, so the third peer is behind no NAT.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kaspa_node.constants import PREFER_DIRECT
from lab.command import run
from lab.local.namespaces import KeptNamespaces
from lab.paths import Paths
from lab.topology import HUB, ROUTERS, SPARE, host
from tests.nat.programs import LabPrograms
from tests.soak.plan import PEERS, RELAYS, REMOTES

PLACES = {"relay-a": "relay", "relay-b": "relay", "third": "relay", "server": "server", "client": "client"}
THIRD = "203.0.113.12"
ADDRESSES = {"relay-a": host("relay").address, "relay-b": SPARE.address, "third": THIRD}
PLAIN = "plain"
# A link that is cut is one of the hub's ports, so that addresses and routes of the host stay as they are.


@dataclass(frozen=True)
class PeerSettings:
    """What of a peer's settings changes. relays, remotes: by name."""

    policy: str = PREFER_DIRECT
    relays: tuple[str, ...] = RELAYS
    remotes: tuple[str, ...] = ()


BASE = {peer: PeerSettings(remotes=REMOTES[peer]) for peer in PEERS}


class World(LabPrograms):
    """All programs run, and each peer has the settings of BASE. `settings`: those of each peer now."""

    def __init__(self, directory: Path, paths: Paths, rtt_ms: float) -> None:
        super().__init__(directory, paths, PLACES, rtt_ms=rtt_ms, jitter_ms=0.0)
        self._namespaces = KeptNamespaces(self._state.pids)
        self._modes = {router.name: PLAIN for router in ROUTERS}
        for address in (ADDRESSES["relay-b"], THIRD):
            run([*self._namespaces.enter("relay"), "ip", "address", "add", f"{address}/24", "dev", "eth0"])
        allowed = ", ".join(f'"{self.ids[peer]}"' for peer in PEERS)
        for relay in RELAYS:
            self._configure(relay, f'listen = ["/ip4/{ADDRESSES[relay]}/tcp/4011"]\nallow = [{allowed}]\n')
        self.settings = dict(BASE)
        for peer in PEERS:
            self._write(peer)

    def _write(self, peer: str) -> None:
        settings = self.settings[peer]
        relays = [f'"/ip4/{ADDRESSES[relay]}/tcp/4011/p2p/{self.ids[relay]}"' for relay in settings.relays]
        allowed = [f'"{self.ids[other]}"' for other in PEERS if other != peer]
        lines = [
            f"relays = [{', '.join(relays)}]",
            f"allow = [{', '.join(allowed)}]",
            f'path_policy = "{settings.policy}"',
        ]
        if peer in ADDRESSES:
            lines.append(f'listen = ["/ip4/{ADDRESSES[peer]}/tcp/4012"]')
        for remote in settings.remotes:
            lines += ["[[remotes]]", f'name = "{remote}"', f'peer_id = "{self.ids[remote]}"']
        self._configure(peer, "\n".join(lines) + "\n")

    def reload(self, peer: str, **changed: object) -> None:
        """Change some of a peer's settings. Raises RequestFailed, ControlError."""
        self.settings[peer] = replace(self.settings[peer], **changed)  # type: ignore[arg-type]
        self._write(peer)
        self.ask(peer, {"do": "reload"})

    @property
    def peers(self) -> dict[str, str]:
        """The peers' ids by their names."""
        return {peer: self.ids[peer] for peer in PEERS}

    def gone(self, name: str) -> bool:
        """Whether the program is not running."""
        return name not in self.running

    def flush(self, router: str) -> None:
        """Let a router forget its mappings."""
        run([*self._namespaces.enter(router), "conntrack", "-F"], check=False)

    def nat(self, router: str, mode: str) -> None:
        """Let a router do something else, and forget its mappings."""
        self._modes[router] = mode
        self.set_nat(router, mode)

    def link(self, name: str, state: str) -> None:
        """Cut the cable of a router or host on the public segment (`down`), or put it back (`up`)."""
        run([*self._namespaces.enter(HUB), "ip", "link", "set", f"p-{name}", state])

    def calm(self) -> None:
        """Everything is as it was in the beginning, but for what the programs have made of it."""
        for router in ROUTERS:
            if self._modes[router.name] != PLAIN:
                self.nat(router.name, PLAIN)
        for peer, settings in BASE.items():
            if self.settings[peer] != settings:
                self.settings[peer] = settings
                self._write(peer)
                self.ask(peer, {"do": "reload"})


@contextmanager
def world(*, rtt_ms: float = 50.0) -> Iterator[World]:
    """Everything runs, and the peers have their reservations."""
    # Not pytest's directory: the path of a control socket may have 103 bytes at the most.
    directory = Path(tempfile.mkdtemp(prefix="kaspa-soak-"))
    try:
        found = World(directory, Paths(directory / "lab"), rtt_ms)
        try:
            found.start(*RELAYS)
            found.start(*PEERS)
            found.wait_reserved(*PEERS)
            yield found
        finally:
            found.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
