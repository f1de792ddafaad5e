"""The external program that speaks Kaspa: its address, and whether it answered last time."""

from __future__ import annotations

import errno
import os
import time
from typing import Any

import trio

from kaspa_node import milestones
from kaspa_node.journal import Journal
from kaspa_node.node.backends import local_sockets
from kaspa_node.settings.values import LocalAddress

CONNECT_SECONDS = 5.0

UNKNOWN, UP, REFUSING = "unknown", "up", "refusing"


class ExternalProgram:
    """The program behind an external backend.

    state: UNKNOWN before the first call, then the result of the last one. reason: why it refuses, or None.
    checked: unix time of the last call, or None. Only a change of the state is logged.
    """

    def __init__(self, address: LocalAddress | None, journal: Journal) -> None:
        self.state = UNKNOWN
        self.reason: str | None = None
        self.checked: float | None = None
        self._address = address
        self._journal = journal

    async def connect(self) -> trio.SocketStream:
        """A connection to it. Raises OSError."""
        try:
            with trio.fail_after(CONNECT_SECONDS):
                local = await local_sockets.connect(self._required())
        except trio.TooSlowError as error:
            reason = f"no answer within {CONNECT_SECONDS:.0f} s"
            self._refused(reason)
            raise OSError(errno.ETIMEDOUT, reason) from error
        except OSError as error:
            # trio's text would repeat the address.
            self._refused(os.strerror(error.errno) if error.errno else str(error))
            raise
        self._answered()
        return local

    def _required(self) -> LocalAddress:
        if self._address is None:
            raise OSError("`backend_address` is not set")
        return self._address

    def _answered(self) -> None:
        changed = self.state != UP
        self.state, self.reason, self.checked = UP, None, time.time()
        if changed:
            self._journal.record(milestones.BACKEND_CONNECTED, addr=str(self._address))

    def _refused(self, reason: str) -> None:
        changed = self.state != REFUSING
        self.state, self.reason, self.checked = REFUSING, reason, time.time()
        if changed:
            self._journal.record(milestones.BACKEND_REFUSED, addr=str(self._address), reason=reason)

    def status(self) -> dict[str, Any]:
        """As `kaspa-node status` shows it."""
        address = None if self._address is None else str(self._address)
        return {"address": address, "state": self.state, "reason": self.reason, "checked": self.checked}
