"""The doors of an external backend: sockets of this machine at which other programs connect to reach the remotes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial

import trio

from kaspa_node import milestones
from kaspa_node.journal import Journal
from kaspa_node.node import local_sockets
from kaspa_node.settings.values import LocalAddress, Remote

MAX_CALLERS = 256

LetIn = Callable[[Remote, trio.SocketStream], Awaitable[None]]
TurnAway = Callable[[Remote, trio.SocketStream, str], None]


class _Door:
    """A socket that is listened on, and the remote behind it. sockets: holds it open; scope: ends the listening."""

    def __init__(self, remote: Remote, address: LocalAddress) -> None:
        self.remote = remote
        self.slots = trio.CapacityLimiter(MAX_CALLERS)
        self.scope = trio.CancelScope()
        self.sockets = ExitStack()
        setting = f"`listen` of the remote {remote.name}"
        self.listener = self.sockets.enter_context(local_sockets.listening(address, setting))


class Doors:
    """A door at each address that a remote has. let_in: carries a caller; turn_away: ends one that has no place."""

    def __init__(self, let_in: LetIn, turn_away: TurnAway, journal: Journal) -> None:
        self._let_in = let_in
        self._turn_away = turn_away
        self._journal = journal
        self._doors: dict[LocalAddress, _Door] = {}

    def prepare(self, nursery: trio.Nursery, remotes: Sequence[Remote]) -> Callable[[], None]:
        """Open the doors that are missing; returns what makes all doors those of `remotes`. Raises ListenError.

        Where it raises, the doors are as they were. Callers that are inside stay there when their door closes.
        """
        wanted = {remote.listen: remote for remote in remotes if remote.listen is not None}
        with ExitStack() as undo:
            new: dict[LocalAddress, _Door] = {}
            for address, remote in wanted.items():
                if address not in self._doors:
                    new[address] = _Door(remote, address)
                    undo.push(new[address].sockets)
            undo.pop_all()
        return partial(self._take_on, nursery, wanted, new)

    def _take_on(
        self, nursery: trio.Nursery, wanted: dict[LocalAddress, Remote], new: dict[LocalAddress, _Door]
    ) -> None:
        for address in self._doors.keys() - wanted.keys():
            self._doors.pop(address).scope.cancel()
        for address, door in new.items():
            nursery.start_soon(self._listen, door, nursery)
            self._doors[address] = door
            remote = door.remote
            self._journal.record(milestones.REMOTE_LISTENING, addr=str(address), name=remote.name, peer=remote.peer_id)
        for address, remote in wanted.items():
            self._doors[address].remote = remote

    async def _listen(self, door: _Door, nursery: trio.Nursery) -> None:
        with door.sockets, door.scope:
            await trio.serve_listeners(partial(self._answer, door), [door.listener], handler_nursery=nursery)

    async def _answer(self, door: _Door, local: trio.SocketStream) -> None:
        remote = door.remote
        try:
            door.slots.acquire_nowait()
        except trio.WouldBlock:
            self._turn_away(remote, local, f"{MAX_CALLERS} connections to it stand already")
            return
        try:
            await self._let_in(remote, local)
        finally:
            door.slots.release()
