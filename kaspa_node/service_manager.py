"""What a node reports to systemd: that it is ready, that its loop still runs, that it stops (sd_notify(3)).

A datagram to the socket that NOTIFY_SOCKET names. Without that variable (plain processes, tests) nothing is sent. With
`WatchdogSec=` in the unit, systemd restarts a node that has not sent WATCHDOG=1 for that long. The task that sends it
runs in the node's own loop: if the loop stands still, nothing is sent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import trio

from kaspa_node.journal import Journal

FEEDS = 3
"""Datagrams in the time after which systemd restarts the node: two may be late or lost."""


class ServiceManager:
    """Tells systemd how the node is, if systemd asked for it.

    watchdog: seconds between two WATCHDOG=1, or None.
    """

    def __init__(self, environ: Mapping[str, str], journal: Journal) -> None:
        self.watchdog = _interval(environ)
        self._journal = journal
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._complained = False

    def ready(self) -> None:
        """The node serves."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """The node stops in order."""
        self._tell("STOPPING=1")

    async def feed(self) -> None:
        """Report that the loop runs, again and again; returns at once if systemd does not ask for it."""
        if self.watchdog is None:
            return
        while True:
            self._tell("WATCHDOG=1")
            await trio.sleep(self.watchdog)

    def _tell(self, state: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
                notify.sendto(state.encode(), self._address)
        except OSError as error:
            if not self._complained:
                self._complained = True
                self._journal.warning("systemd can't be told %s on its socket: %s", state, error)


def _address(name: str) -> str | None:
    """An abstract name is written with @ for the null byte that it begins with."""
    return f"\0{name[1:]}" if name.startswith("@") else name or None


def _interval(environ: Mapping[str, str]) -> float | None:
    asked = environ.get("WATCHDOG_USEC", "")
    if not asked.isdecimal() or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(asked) / 1e6 / FEEDS or None
