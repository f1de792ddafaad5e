"""Reads the configuration again while the node runs. All of it is applied, or nothing.

    read and check it whole ─▶ compare ─▶ get ready: what may fail ─▶ commit: what can't

A node that can't take a change without a restart takes none of them, so that the file and the program never agree in
part only.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio

from kaspa_node import identity, milestones
from kaspa_node.errors import IdentityError, KaspaNodeError
from kaspa_node.identity import KEY_FILE
from kaspa_node.journal import Journal
from kaspa_node.settings import Settings, changes

if TYPE_CHECKING:
    # trio's stubs of that package, which libp2p brings along, hide trio.TaskStatus from type checkers.
    from trio_typing import TaskStatus

IDENTITY = "identity"
"""Listed among the settings that need a restart if the key file holds another key than the node uses."""

Load = Callable[[], Settings]
Commit = Callable[[], None]
Prepare = Callable[[Settings], Awaitable[Commit]]


class Reloader:
    """Applies the current configuration to a running node.

    settings: those in use. load: reads them again; raises ConfigError.
    prepare: does everything that may fail for new settings; raises KaspaNodeError and changes nothing then. Returns a
    function that applies the settings and does not wait.
    """

    def __init__(self, settings: Settings, peer_id: str, load: Load, prepare: Prepare, journal: Journal) -> None:
        self.settings = settings
        self._peer_id = peer_id
        self._load = load
        self._prepare = prepare
        self._journal = journal
        self._turn = trio.Lock()

    async def reload(self) -> dict[str, Any]:
        """The settings that were applied and those that need a restart; if there is one of these, nothing is applied.

        Raises KaspaNodeError if the configuration can't be used; then nothing is applied either.
        """
        async with self._turn:
            try:
                found = await self._apply()
            except KaspaNodeError as error:
                self._journal.record(milestones.NODE_RELOAD_REFUSED, reason=str(error))
                raise
        if found.restart:
            reason = f"only a restart changes {', '.join(found.restart)}"
            self._journal.record(milestones.NODE_RELOAD_REFUSED, reason=reason)
        else:
            self._journal.record(milestones.NODE_RELOADED, applied=", ".join(found.live) or "nothing, all is the same")
        return {"applied": [] if found.restart else list(found.live), "restart": list(found.restart)}

    async def _apply(self) -> changes.Changes:
        new = self._load()
        new.check(self._peer_id)
        found = changes.between(self.settings, new)
        if not self._same_key():
            found = changes.Changes(found.live, (*found.restart, IDENTITY))
        if found.live and not found.restart:
            commit = await self._prepare(new)
            # There is no checkpoint from here on. The client may hang up, and a cancellation would apply one half only.
            commit()
            self._journal.set_level(new.log_level)
            self.settings = new
        return found

    def _same_key(self) -> bool:
        """Whether the key file still holds this node's key. A restart would replace a missing file by a new key."""
        path = self.settings.state_dir / KEY_FILE
        try:
            return identity.load(path).peer_id == self._peer_id
        except FileNotFoundError as error:
            remedy = "put it back: a restart would make a new key, and with it another peer id"
            raise IdentityError(path, "is missing", remedy) from error

    async def on_hangup(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reload at each SIGHUP, until cancelled. The result is in the log."""
        with trio.open_signal_receiver(signal.SIGHUP) as received:
            task_status.started()
            await self._follow(received)

    async def _follow(self, received: AsyncIterator[int]) -> None:
        async for _ in received:
            try:
                await self.reload()
            except KaspaNodeError:
                # The error is in the log already.
                continue
