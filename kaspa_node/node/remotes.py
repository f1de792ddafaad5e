"""The remotes of a peer: a keeper for each that the settings name."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from kaspa_node.errors import RequestFailed, shown
from kaspa_node.journal import Journal
from kaspa_node.node.backends.base import Backend
from kaspa_node.node.links import RelayLinks
from kaspa_node.node.remote import RemoteKeeper
from kaspa_node.p2p.dial import Dialer
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.settings import Settings
from kaspa_node.settings.values import Remote

Aim = tuple[Remote, str, Sequence[RelayLink]]
"""What a keeper goes by: the remote, the path policy, the relays to dial through."""


class Remotes:
    """Keeps the keepers; nothing runs before `start`."""

    def __init__(self, host: Host, links: RelayLinks, puncher: Puncher, backend: Backend, journal: Journal) -> None:
        self._host = host
        self._links = links
        self._puncher = puncher
        self._backend = backend
        self._journal = journal
        self._keepers: dict[str, RemoteKeeper] = {}
        self._aims: dict[str, Aim] = {}
        self._scopes: dict[str, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None

    def start(self, nursery: trio.Nursery) -> None:
        """Keep the remotes in `nursery` from now on."""
        self._nursery = nursery
        for peer in self._keepers:
            self._run(peer)

    def apply(self, settings: Settings) -> None:
        """Keep the remotes that these settings name, after the links are theirs.

        A keeper of which nothing changes goes on as it is. What a dismissed one has brought about is not ended here.
        """
        aims: dict[str, Aim] = {
            remote.peer_id: (remote, settings.path_policy, self._links.to(remote.addrs or settings.relays))
            for remote in settings.remotes
        }
        for peer in self._keepers.keys() - aims.keys():
            self._keepers.pop(peer).dismiss()
            if (scope := self._scopes.pop(peer, None)) is not None:
                scope.cancel()
        self._keepers = {peer: self._keeper(peer, aim) for peer, aim in aims.items()}
        self._aims = aims

    def _keeper(self, peer: str, aim: Aim) -> RemoteKeeper:
        remote, policy, links = aim
        keeper = self._keepers.get(peer)
        if keeper is not None and self._aims[peer] == aim:
            return keeper
        dialer = Dialer(self._host, peer, links, self._puncher, self._journal)
        if keeper is not None:
            keeper.aim(remote, policy, dialer)
            return keeper
        keeper = RemoteKeeper(remote, policy, dialer, self._backend, self._host, self._journal)
        if self._nursery is not None:
            self._keepers[peer] = keeper
            self._run(peer)
        return keeper

    def _run(self, peer: str) -> None:
        assert self._nursery is not None
        scope = self._scopes[peer] = trio.CancelScope()
        self._nursery.start_soon(self._keep, self._keepers[peer], scope)

    async def _keep(self, keeper: RemoteKeeper, scope: trio.CancelScope) -> None:
        with scope:
            await keeper.run()

    # What others ask

    def all(self) -> list[RemoteKeeper]:
        """The keepers, as the settings order them."""
        return list(self._keepers.values())

    def named(self, name: str) -> RemoteKeeper:
        """The keeper of the remote with that name or peer id. Raises RequestFailed."""
        for keeper in self._keepers.values():
            if name in (keeper.remote.name, keeper.remote.peer_id):
                return keeper
        known = ", ".join(keeper.remote.name for keeper in self._keepers.values()) or "none"
        raise RequestFailed(f"no remote {shown(name)} is configured here; configured: {known}")

    def progress(self, peer: str) -> str:
        """How far the way to a remote is, in words."""
        keeper = self._keepers.get(peer)
        if keeper is None:
            return "no longer one of the remotes"
        return keeper.state if keeper.reason is None else f"{keeper.state} ({keeper.reason})"
