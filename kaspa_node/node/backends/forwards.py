"""Local forwards, as in SSH: sockets on this machine to which other programs connect to reach a remote."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial

import trio

from kaspa_node import milestones
from kaspa_node.journal import Journal
from kaspa_node.node.backends import local_sockets
from kaspa_node.settings.values import LocalAddress, Remote

MAX_CONNECTIONS = 256

Serve = Callable[[Remote, trio.SocketStream], Awaitable[None]]
Refuse = Callable[[Remote, trio.SocketStream, str], None]


class _LocalForward:
    """A listening socket, and the remote behind it. sockets: holds the socket open; scope: ends the listening."""

    def __init__(self, remote: Remote, address: LocalAddress) -> None:
        self.remote = remote
        self.slots = trio.CapacityLimiter(MAX_CONNECTIONS)
        self.scope = trio.CancelScope()
        self.sockets = ExitStack()
        setting = f"`listen` of the remote {remote.name}"
        self.listener = self.sockets.enter_context(local_sockets.listening(address, setting))


class LocalForwards:
    """One local forward for each `listen` address of a remote.

    serve: forwards a local connection. refuse: ends one with a reason.
    """

    def __init__(self, serve: Serve, refuse: Refuse, journal: Journal) -> None:
        self._serve = serve
        self._refuse = refuse
        self._journal = journal
        self._forwards: dict[LocalAddress, _LocalForward] = {}

    def prepare(self, nursery: trio.Nursery, remotes: Sequence[Remote]) -> Callable[[], None]:
        """Open the missing forwards; returns a function that leaves those of `remotes` only. Raises ListenError.

        If it raises, nothing has changed. Connections that a forward has accepted stay when the forward closes.
        """
        wanted = {remote.listen: remote for remote in remotes if remote.listen is not None}
        with ExitStack() as undo:
            new: dict[LocalAddress, _LocalForward] = {}
            for address, remote in wanted.items():
                if address not in self._forwards:
                    new[address] = _LocalForward(remote, address)
                    undo.push(new[address].sockets)
            undo.pop_all()
        return partial(self._take_on, nursery, wanted, new)

    def _take_on(
        self, nursery: trio.Nursery, wanted: dict[LocalAddress, Remote], new: dict[LocalAddress, _LocalForward]
    ) -> None:
        for address in self._forwards.keys() - wanted.keys():
            self._forwards.pop(address).scope.cancel()
        for address, forward in new.items():
            nursery.start_soon(self._listen, forward, nursery)
            self._forwards[address] = forward
            remote = forward.remote
            self._journal.record(milestones.REMOTE_LISTENING, addr=str(address), name=remote.name, peer=remote.peer_id)
        for address, remote in wanted.items():
            self._forwards[address].remote = remote

    async def _listen(self, forward: _LocalForward, nursery: trio.Nursery) -> None:
        with forward.sockets, forward.scope:
            await trio.serve_listeners(partial(self._answer, forward), [forward.listener], handler_nursery=nursery)

    async def _answer(self, forward: _LocalForward, local: trio.SocketStream) -> None:
        remote = forward.remote
        try:
            forward.slots.acquire_nowait()
        except trio.WouldBlock:
            self._refuse(remote, local, f"{MAX_CONNECTIONS} connections to it are open already")
            return
        try:
            await self._serve(remote, local)
        finally:
            forward.slots.release()
