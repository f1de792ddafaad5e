"""Which addresses may connect to a host, and how long they wait: each pays for its connections and handshakes."""

from __future__ import annotations

from collections.abc import Callable

import trio

from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import neighbourhood
from kaspa_node.p2p.budget import CALL, CONNECTION, HANDSHAKE, Budget, Budgets
from kaspa_node.p2p.offenders import Offenders


class Callers:
    """full: whether the host has as many connections as it may have."""

    def __init__(self, budgets: Budgets, full: Callable[[], bool], offenders: Offenders) -> None:
        self._budgets = budgets
        self._full = full
        self._offenders = offenders

    @property
    def full(self) -> bool:
        """Whether nobody is taken in now."""
        return self._full()

    def may_call(self, caller: SocketAddress) -> bool:
        """Whether a connection from `caller` is accepted now."""
        if self._full():
            return False
        now = trio.current_time()
        if self._budgets.of_address(caller.ip, now).afford(CALL, now):
            return True
        self._offenders.note(neighbourhood(caller.ip), "a call")
        return False

    async def pay_handshake(self, ip: str) -> None:
        """Return when a handshake with a caller from `ip` is paid for; one that gives up meanwhile pays nothing."""
        await self._pay(self._budgets.of_address(ip, trio.current_time()), HANDSHAKE)

    async def pay_connection(self, peer: str) -> None:
        """Return once one more connection of `peer` is paid for."""
        await self._pay(self._budgets.of_peer(peer, trio.current_time()), CONNECTION)

    async def _pay(self, budget: Budget, work: float) -> None:
        wait = budget.spend(work, trio.current_time())
        waited = False
        try:
            await trio.sleep(wait)
            waited = True
        finally:
            if not waited:
                budget.refund(work)
