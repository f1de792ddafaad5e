"""What the sessions of one node share: the connected peers, and the addresses that they sent (kaspad hub.rs)."""

from __future__ import annotations

from collections import Counter
from random import Random

from kaspa_node.kaspa.addresses import AddressBook, NodeAddress
from kaspa_node.kaspa.budget import Budget
from kaspa_node.kaspa.config import Direction

PeerKey = tuple[bytes, str]
"""kaspad's key of a peer: node id and IP. One node over two paths has two IPs here, and so two keys."""

BUDGETS = 1024
"""Peers whose budgets are remembered."""


class Hub:
    """One per node. Belongs to the trio thread."""

    def __init__(self, random: Random | None = None) -> None:
        self.book = AddressBook()
        self._random = random or Random()
        self._taken: set[PeerKey] = set()
        self._ready: Counter[Direction] = Counter()
        self._budgets: dict[str, Budget] = {}

    def taken(self, key: PeerKey) -> bool:
        """Whether a peer of that key has passed our checks and is still here."""
        return key in self._taken

    def take(self, key: PeerKey) -> None:
        """Count the key as here."""
        self._taken.add(key)

    def release(self, key: PeerKey) -> None:
        """The peer of that key is gone."""
        self._taken.discard(key)

    def connected(self, direction: Direction) -> int:
        """One more ready session of that direction; how many there are now."""
        self._ready[direction] += 1
        return self._ready[direction]

    def disconnected(self, direction: Direction) -> None:
        """One ready session less."""
        self._ready[direction] -= 1

    def budget(self, peer: str, now: float) -> Budget:
        """What the sessions of one peer id may make us do; it outlives them, for as long as few others come."""
        budget = self._budgets.pop(peer, None) or Budget(now)
        self._budgets[peer] = budget
        if len(self._budgets) > BUDGETS:
            del self._budgets[next(iter(self._budgets))]
        return budget

    def addresses(self) -> list[NodeAddress]:
        """The answer to a peer that asks for addresses."""
        return self.book.sample(self._random)
