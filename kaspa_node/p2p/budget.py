"""A budget of work: what a remote may make this host do. No socket, no clock.

The number of bytes says little about their cost: a frame of 12 bytes can open a stream, start a task and end it.
So each kind of work has a price, in seconds of one core, and is paid before it is done. A budget refills with time.
A remote that overdraws it waits until the debt is paid, and all others continue. A remote that would wait too long is
ended.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from kaspa_node.p2p.admission import neighbourhood

# Prices in seconds: measured on a core of 2.5 GHz, and rounded up by half or more, so that they hold on slower ones.
# One wake-up of the read loop: epoll, recv, the scheduler, and those of a reader and its answer.
RECEIVE = 50e-6
# One message of Noise, however short.
MESSAGE = 5e-6
# One frame of yamux: its header is taken apart, and often answered.
FRAME = 2e-6
# One event of a stream: its reader or writer is woken.
EVENT = 3e-6
# One stream with a handler: a task, a negotiation and a short answer.
STREAM = 300e-6
# One call: accept, a task, and its end.
CALL = 0.2e-3
# One connection: the Noise handshake with its signatures, the identify exchange, and its end.
HANDSHAKE = 2e-3
# One connection of a peer that is served: its tasks, what follows from it, and two lines in the log. Like a request, it
# is dearer than its work.
CONNECTION = 10e-3
# A request that changes what this host does for others, and makes a line in its log: a reservation, a circuit. It is
# dearer than its work, because a log that fills up is a cost, too: a peer makes ten such lines a second at most.
REQUEST = 20e-3

# A receive that brings less than this is paid for by everybody: smaller ones hold no useful data.
SMALL_RECEIVE = 64

# Nobody waits for a debt as small as this: to wait for each message of a flood would cost more than the messages.
TRIFLE = 0.5e-3

# Budgets that are kept; what was forgotten is full again, so the one unused for longest goes first.
MOST_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Rate:
    """How a budget refills.

    share: of one core, in the long run. saved: seconds of work that can be saved up for a burst.
    patience: seconds that its owner is kept waiting, in all, before it is ended; forgotten once the budget is full.
    all_receives: whether receives that bring data are paid for, too.
    """

    share: float
    saved: float
    patience: float
    all_receives: bool


# All strangers of one address together, and the handshakes from there. A stranger needs one connection and three or
# four streams to learn that it is not served. The share leaves 50 connections a second. The savings let 75 peers
# behind one NAT connect at once, after a power cut for example.
STRANGER = Rate(share=0.1, saved=0.15, patience=2.0, all_receives=True)
# One peer that is served, in all its connections. Useful data is free, and so is the receive that brings it: what a
# peer may send through a service is the service's to bound. The rest is overhead: at 7,000 round trips of 100 bytes a
# second, about what one connection does at most, it is 0.07 of a core.
SERVED = Rate(share=0.2, saved=0.25, patience=20.0, all_receives=False)


class Budget:
    """What one remote may still have done. Times are seconds on any monotonic clock."""

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._left = rate.saved
        self._since = now
        self._waited = 0.0

    def spend(self, work: float, now: float) -> float:
        """Pay for `work` seconds of work; returns the seconds to wait before more may be paid for. 0: none."""
        left = self._refilled(now) - work
        self._left = left
        if left >= -TRIFLE:
            return 0.0
        wait = -left / self.rate.share
        self._waited += min(wait, work / self.rate.share)
        return wait

    def refund(self, work: float) -> None:
        """Give back what was paid for `work` that was not done."""
        self._left = min(self.rate.saved, self._left + work)
        self._waited = max(0.0, self._waited - work / self.rate.share)

    def afford(self, work: float, now: float) -> bool:
        """Pay for `work` if nothing is owed; else nothing is paid, and it must not be done."""
        if self._refilled(now) < -TRIFLE:
            return False
        self._left -= work
        return True

    @property
    def overdrawn(self) -> bool:
        """Whether the owner was kept waiting for longer than the patience lasts."""
        return self._waited > self.rate.patience

    def full(self, now: float) -> bool:
        """Whether the budget is as if it had never been used."""
        return self._refilled(now) >= self.rate.saved

    def _refilled(self, now: float) -> float:
        left = self._left + (now - self._since) * self.rate.share
        self._since = now
        if left >= self.rate.saved:
            left = self.rate.saved
            self._waited = 0.0
        self._left = left
        return left


class Budgets:
    """The budgets of one host: one for each address of strangers, and one for each peer that is served."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Budget] = OrderedDict()

    def of_address(self, ip: str, now: float) -> Budget:
        """That of the strangers at an IP address."""
        return self._find(neighbourhood(ip), STRANGER, now)

    def of_peer(self, peer: str, now: float) -> Budget:
        """That of a peer that is served."""
        return self._find(peer, SERVED, now)

    def _find(self, owner: str, rate: Rate, now: float) -> Budget:
        budget = self._kept.get(owner)
        if budget is None:
            budget = self._kept[owner] = Budget(rate, now)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(owner)
        return budget
