"""Which remotes may connect from which address, while hole punches with them go on.

A remote names its addresses itself, so it may name another peer's. Several remotes may be expected at one address. An
expectation only says how to answer a connection from there. The handshake shows which peer it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from kaspa_node.p2p.addresses import SocketAddress


@dataclass(eq=False, slots=True)
class Expectation:
    """`peer` may connect from `address`.

    opens: this side opens the security handshake. seconds: for the handshake.
    problem: why the last connection from there failed. silent: because it had no answer.
    """

    address: SocketAddress
    peer: str
    opens: bool
    seconds: float
    problem: str = ""
    silent: bool = False
    _handshakes: int = 0
    _settled: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)

    def failed(self, problem: str, *, silent: bool) -> None:
        """A connection from there has come to nothing."""
        self.problem, self.silent = problem, self.silent or silent

    async def settled(self) -> None:
        """Return once no connection from there is in its handshake."""
        while self._handshakes:
            await self._settled.park()

    def begin(self) -> None:
        """A connection from there is in its handshake until `end`."""
        self._handshakes += 1

    def end(self) -> None:
        """Its handshake is over."""
        self._handshakes -= 1
        if not self._handshakes:
            self._settled.unpark_all()


class Expectations:
    """Those of one host."""

    def __init__(self) -> None:
        self._all: list[Expectation] = []

    def add(self, address: SocketAddress, peer: str, *, opens: bool, seconds: float) -> Expectation:
        """Expect `peer` from now on until `remove`."""
        expectation = Expectation(address, peer, opens, seconds)
        self._all.append(expectation)
        return expectation

    def remove(self, expectation: Expectation) -> None:
        """Expect it no more."""
        self._all.remove(expectation)

    def at(self, address: SocketAddress) -> list[Expectation]:
        """Those of one address, the oldest first."""
        return [each for each in self._all if each.address == address]

    def peers_at(self, address: SocketAddress) -> frozenset[str]:
        """The peers that may connect from one address."""
        return frozenset(each.peer for each in self.at(address))


@contextmanager
def in_handshake(expected: list[Expectation]) -> Iterator[None]:
    """A connection from the address of `expected` is in its handshake inside the block."""
    for each in expected:
        each.begin()
    try:
        yield
    finally:
        for each in expected:
            each.end()
