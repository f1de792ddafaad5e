"""The remotes of a peer: one keeper for each configured remote."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from kaspa_node.errors import RequestFailed, shown
from kaspa_node.journal import Journal
from kaspa_node.node.backends.base import Backend
from kaspa_node.node.links import RelayLinks
from kaspa_node.node.remote.keeper import RemoteKeeper
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.reasons import NO_LONGER_WANTED, Reason
from kaspa_node.settings import Settings
from kaspa_node.settings.values import Remote

Aim = tuple[Remote, str, Sequence[RelayLink]]
"""The settings of a keeper: the remote, the path policy, the links to the relays to dial through."""


class Remotes:
    """Holds the keepers. None runs before `start`."""

    def __init__(self, host: Host, links: RelayLinks, puncher: Puncher, backend: Backend, journal: Journal) -> None:
        self._host = host
        self._links = links
        self._puncher = puncher
        self._backend = backend
        self._journal = journal
        self._keepers: dict[str, RemoteKeeper] = {}
        self._aims: dict[str, Aim] = {}
        self._nursery: trio.Nursery | None = None
        backend.observers.ready.append(self._session_changed)
        backend.observers.closed.append(self._session_changed)

    def _session_changed(self, peer: str) -> None:
        if (keeper := self._keepers.get(peer)) is not None:
            keeper.tell_remote_session(self._backend.incoming_path(peer))

    def start(self, nursery: trio.Nursery) -> None:
        """Run the keepers in `nursery` from now on."""
        self._nursery = nursery
        for keeper in self._keepers.values():
            nursery.start_soon(keeper.run)

    def apply(self, settings: Settings) -> None:
        """Keep the configured remotes. The links must have these settings already.

        A keeper whose settings are the same is left alone.
        """
        aims: dict[str, Aim] = {
            remote.peer_id: (remote, settings.path_policy, self._links.to(remote.addrs or settings.relays))
            for remote in settings.remotes
        }
        for peer in self._keepers.keys() - aims.keys():
            self._keepers.pop(peer).dismiss()
        self._keepers = {peer: self._keeper(peer, aim) for peer, aim in aims.items()}
        self._aims = aims

    def _keeper(self, peer: str, aim: Aim) -> RemoteKeeper:
        keeper = self._keepers.get(peer)
        if keeper is not None:
            if self._aims[peer] != aim:
                keeper.aim(*aim)
            return keeper
        keeper = RemoteKeeper(
            *aim, host=self._host, puncher=self._puncher, backend=self._backend, journal=self._journal
        )
        if (path := self._backend.incoming_path(peer)) is not None:
            # The remote opened a session before it was configured here.
            keeper.tell_remote_session(path)
        if self._nursery is not None:
            self._nursery.start_soon(keeper.run)
        return keeper

    def stop(self) -> None:
        """The node is stopping: nothing new is tried, and the sessions that there are go on until they are ended."""
        for keeper in self._keepers.values():
            keeper.stop()

    # What others ask

    def all(self) -> list[RemoteKeeper]:
        """The keepers, in the order of the settings."""
        return list(self._keepers.values())

    def named(self, name: str) -> RemoteKeeper:
        """The keeper of the remote with that name or peer id. Raises RequestFailed."""
        for keeper in self._keepers.values():
            if name in (keeper.remote.name, keeper.remote.peer_id):
                return keeper
        known = ", ".join(keeper.remote.name for keeper in self._keepers.values()) or "none"
        raise RequestFailed(f"no remote {shown(name)} is configured here; configured: {known}")

    def progress(self, peer: str) -> str:
        """How far a remote is from a session, as a clause."""
        keeper = self._keepers.get(peer)
        return str(Reason(NO_LONGER_WANTED)) if keeper is None else keeper.progress()

    async def direct_within(self, peer: str, seconds: float) -> None:
        """Wait for a direct path to a remote while an attempt runs, at most so many seconds."""
        keeper = self._keepers.get(peer)
        if keeper is not None:
            await keeper.direct_within(seconds)
