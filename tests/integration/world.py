"""Hosts, relays and peers on loopback, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import trio

from kaspa_node.journal import FieldValue
from kaspa_node.milestones import Milestone
from kaspa_node.node.relay import relay_status
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.failed_upgrades import FailedUpgrades
from kaspa_node.p2p.host import DEFAULT_LIMITS, Host
from kaspa_node.p2p.punch.puncher import Puncher
from kaspa_node.p2p.punch.vantage import Vantage
from kaspa_node.p2p.relay.circuit import CircuitListener
from kaspa_node.p2p.relay.ledger import Ledger, RelayLimits
from kaspa_node.p2p.relay.service import RelayService
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.settings.values import RelayAddress
from tests.unit.kaspa.shells import RecordingJournal
from tests.unit.p2p.parties import identity, peer_id

PATIENCE = 20
"""Seconds after which a test that waits for an event has failed."""

ECHO = "/test/echo"
RELAY = 9
"""The party that is the relay."""

Task = Callable[[], Awaitable[None]]


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that has no event of its own."""
    with trio.fail_after(PATIENCE):
        while not condition():
            await trio.lowlevel.checkpoint()


class WatchedJournal(RecordingJournal):
    """A journal whose lines can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._change = trio.Event()

    def record(self, milestone: Milestone, **fields: FieldValue) -> None:
        super().record(milestone, **fields)
        self._change.set()
        self._change = trio.Event()

    def all(self, milestone: Milestone, **wanted: FieldValue) -> list[dict[str, FieldValue]]:
        """The fields of every line of that kind with those values."""
        return [
            fields for name, fields in self.milestones if name == milestone.name and fields.items() >= wanted.items()
        ]

    async def seen(self, milestone: Milestone, count: int = 1, **wanted: FieldValue) -> dict[str, FieldValue]:
        """The fields of the `count`th such line, once it is there."""
        with trio.fail_after(PATIENCE):
            while len(found := self.all(milestone, **wanted)) < count:
                await self._change.wait()
        return found[count - 1]


def make_host(number: int, port: int = 0, limits: Limits = DEFAULT_LIMITS) -> Host:
    """The host of party `number`, listening on loopback, not running yet."""
    host = Host(
        identity(number), peer_id(number), RecordingJournal(), agent=f"party/{number}", version="/test/1", limits=limits
    )
    host.listener.bind([SocketAddress("127.0.0.1", port)])
    host.protocols.serve(ECHO, echo)
    return host


async def echo(stream: Stream) -> None:
    """Send everything back."""
    while data := await stream.read():
        await stream.write(data)
    stream.close()


async def read_all(stream: Stream) -> bytes:
    """Everything until the remote ends its side."""
    pieces = []
    while data := await stream.read(1 << 18):
        pieces.append(data)
    return b"".join(pieces)


async def standing(host: Host, peer: str, path: str | None = None) -> Connection:
    """The connection to `peer`, once it stands on this side, too."""
    await until(lambda: host.connections.to(peer, path))
    connection = host.connections.to(peer, path)
    assert connection is not None
    return connection


async def say(host: Host, peer: str, data: bytes, path: str | None = None) -> bytes:
    """What `peer` echoes of `data`, over the standing connection."""
    stream = await host.protocols.open(await standing(host, peer, path), [ECHO])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, stream, data)
        return await read_all(stream)


async def send(stream: Stream, data: bytes) -> None:
    """Write all of it and end our side."""
    await stream.write(data)
    stream.close()


class World:
    """Starts what a test needs, and stops it: all of it at the end, or one by one before."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._running: dict[int, tuple[trio.CancelScope, trio.Event]] = {}

    async def host(self, number: int, *tasks: Task, port: int = 0, limits: Limits = DEFAULT_LIMITS) -> Host:
        """A running host."""
        return await self.run(make_host(number, port, limits), *tasks)

    async def pair(self) -> tuple[Host, Host, Connection]:
        """Two running hosts and the first one's connection to the second."""
        a, b = await self.host(1), await self.host(2)
        return a, b, await a.dialer.dial(b.listener.addresses[0], b.peer_id)

    async def run(self, host: Host, *tasks: Task) -> Host:
        """Run a host, and tasks beside it."""
        scope, done = trio.CancelScope(), trio.Event()

        async def carry() -> None:
            with scope:
                async with trio.open_nursery() as nursery:
                    for task in (host.run, *tasks):
                        nursery.start_soon(task)
            done.set()

        self._running[id(host)] = (scope, done)
        self._nursery.start_soon(carry)
        await host.running.wait()
        return host

    async def stop(self, host: Host) -> None:
        """Stop a host and what runs beside it; its port is free then."""
        scope, done = self._running.pop(id(host))
        scope.cancel()
        await done.wait()

    async def relay(
        self, limits: RelayLimits | None = None, permits: Callable[[str], bool] = lambda peer: True, port: int = 0
    ) -> Relay:
        """A running relay."""
        return await self._run_relay(Relay(limits or RelayLimits(), permits, port))

    async def other_relay(self, number: int) -> Relay:
        """A running relay that is another party than RELAY."""
        return await self._run_relay(Relay(RelayLimits(), lambda peer: True, 0, number))

    async def _run_relay(self, relay: Relay) -> Relay:
        await self.run(relay.host, relay.service.run)
        return relay

    async def party(
        self,
        number: int,
        *relays: Relay,
        reserve: bool = True,
        punches: bool = True,
        permits: Callable[[str], bool] = lambda peer: True,
    ) -> Party:
        """A running peer, with its reservations where it wants them."""
        party = Party(number, relays, reserve=reserve, punches=punches, permits=permits)
        tasks = [link.run for link in party.links]
        if party.puncher is not None:
            tasks.append(party.puncher.run)
        await self.run(party.host, *tasks)
        with trio.fail_after(PATIENCE):
            for link in party.links:
                await link.connection()
                if reserve:
                    await until(lambda link=link: link.keeper.expires is not None)  # type: ignore[misc]
        return party


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """What is started in the block is stopped at its end."""
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            yield World(nursery)
            nursery.cancel_scope.cancel()


class Relay:
    """A relay's parts."""

    def __init__(self, limits: RelayLimits, permits: Callable[[str], bool], port: int, number: int = RELAY) -> None:
        self.host = make_host(number, port)
        self.journal = WatchedJournal()
        self.ledger = Ledger(limits)
        self.service = RelayService(self.host, self.ledger, permits, self.journal)
        self.failed_upgrades = FailedUpgrades(self.journal)
        self.host.listener.failed.append(self.failed_upgrades)

    @property
    def address(self) -> RelayAddress:
        """Where peers find it."""
        at = self.host.listener.addresses[0]
        return RelayAddress(f"{at.multiaddr()}/p2p/{self.host.peer_id}", at.ip, at.port, self.host.peer_id)

    def status(self) -> dict[str, Any]:
        """What `kaspa-node status` would show of it."""
        return relay_status(self.host, self.service, self.failed_upgrades, 0.0)


class HasAddress(Protocol):
    """A relay of whatever make."""

    @property
    def address(self) -> RelayAddress:
        """Where peers find it."""
        ...


class Party:
    """A peer's parts, without Kaspa."""

    def __init__(
        self,
        number: int,
        relays: Sequence[HasAddress],
        *,
        reserve: bool,
        punches: bool,
        permits: Callable[[str], bool],
    ) -> None:
        self.host = make_host(number)
        self.peer_id = self.host.peer_id
        self.journal = WatchedJournal()
        self.links = [RelayLink(self.host, r.address, reserve=reserve, journal=self.journal) for r in relays]
        known = {r.address.peer_id for r in relays}
        self.circuits = CircuitListener(self.host, known.__contains__, permits, self.journal)
        self.puncher = Puncher(self.host, self.vantage, self.journal) if punches else None

    def vantage(self) -> Vantage:
        """As relays see this peer."""
        return Vantage.best([link.mapping for link in self.links if link.mapping], [], self.host.listener.addresses)
