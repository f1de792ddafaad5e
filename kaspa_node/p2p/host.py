"""One libp2p host, put together: its listener, its dialer, its protocols, and the connections that it runs.

The host knows TCP and upgrades. Relays, circuits and hole punches bring connections of their own and have them adopted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import trio
from libp2p.crypto.keys import KeyPair

from kaspa_node.journal import Journal
from kaspa_node.p2p import identify
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits, neighbourhood
from kaspa_node.p2p.budget import Budgets
from kaspa_node.p2p.callers import Callers
from kaspa_node.p2p.channel import yamux
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.noise import NoiseKeys
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.connections import Connections
from kaspa_node.p2p.dialer import Dialer
from kaspa_node.p2p.errors import DialError
from kaspa_node.p2p.expectations import Expectations
from kaspa_node.p2p.identify_service import IdentifyService
from kaspa_node.p2p.listener import Listener
from kaspa_node.p2p.memory import Tidier
from kaspa_node.p2p.offenders import Offenders
from kaspa_node.p2p.protocols import Protocols
from kaspa_node.p2p.strangers import Strangers
from kaspa_node.p2p.upgrader import Upgrader

PING_PROTOCOL = "/ipfs/ping/1.0.0"
PING_BYTES = 32
DEFAULT_LIMITS = Limits()


class Host:
    """A libp2p host on trio.

    identity: the Ed25519 key pair. agent, version: what identify says of the program.
    limits: how many may come, and how long they may take. announced: where others reach this host, as configured, in
    binary multiaddrs, names included.
    offenders: peers and addresses that asked for more work than their share.
    """

    def __init__(
        self,
        identity: KeyPair,
        peer_id: str,
        journal: Journal,
        *,
        agent: str,
        version: str,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.peer_id = peer_id
        self.announced: list[bytes] = []
        self.running = trio.Event()
        self.connections = Connections()
        self.offenders = Offenders(journal)
        self._budgets = Budgets()
        self.strangers = Strangers(limits, self._budgets, self.start_soon, journal)
        self.upgrader = Upgrader(NoiseKeys(identity, [yamux.PROTOCOL]), limits.upgrade)
        self.expectations = Expectations()
        callers = Callers(self._budgets, self._full, self.offenders)
        self.listener = Listener(self.upgrader, limits, callers, self.adopt, self.expectations)
        self.dialer = Dialer(self.upgrader, self.listener.address_for, limits.connect, self.adopt, self.expectations)
        self._limits = limits
        self._identify = IdentifyService(
            identity.public_key, peer_id, agent=agent, version=version, connected=self.connections, most=limits.known
        )
        self.known = self._identify.known
        self.pushed = self._identify.pushed
        self.protocols = Protocols(self.known, limits.negotiate)
        self.protocols.serve(identify.PROTOCOL, self._tell)
        self.protocols.serve(identify.PUSH_PROTOCOL, self._hear)
        self.protocols.serve(PING_PROTOCOL, _echo)
        self._tidier = Tidier(self.start_soon)
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Accept and run connections until cancelled; `running` is set once it does."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self.listener.run)
                self.running.set()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    def close(self, reason: str) -> None:
        """End every connection, and say so to the remotes."""
        for connection in self.connections.all():
            connection.close(reason)

    def adopt(self, connection: Connection) -> None:
        """Run a connection from now on, and tell the observers. Raises DialError if the host is stopping."""
        if self._nursery is None:
            connection.close("this host is stopping")
            raise DialError("this host is stopping")
        peer = connection.remote
        others = self.connections.of(peer)
        if len(others) >= self._limits.connections_each:
            others[0].close(f"its peer has more than {self._limits.connections_each} connections")
        connection.budget = self._budgets.of_peer(peer, trio.current_time())
        if others:
            connection.share_with(others[-1], partial(self.connections.streams_of, peer))
        for other in others:
            self._nursery.start_soon(other.prove_alive)
        self._nursery.start_soon(self._run_connection, connection)
        self.connections.add(connection)

    async def _run_connection(self, connection: Connection) -> None:
        try:
            async with trio.open_nursery() as nursery:
                if connection in self.strangers:
                    connection.identified.set()
                else:
                    nursery.start_soon(self._identify.ask, connection, self._limits.negotiate)
                await connection.run(self.protocols.answer)
                nursery.cancel_scope.cancel()
        finally:
            self.connections.remove(connection)
            if connection.overdrawn:
                address = neighbourhood(SocketAddress.parse(connection.route.remote).ip)
                who = address if connection in self.strangers else connection.remote
                self.offenders.note(who, "a connection")
            self.strangers.leave(connection)
            self._tidier.connection_ended()

    def start_soon(self, task: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Run a task as long as the host runs; nothing happens if it is stopping."""
        if self._nursery is not None:
            self._nursery.start_soon(task, *arguments)

    def _full(self) -> bool:
        return len(self.connections) - len(self.strangers) >= self._limits.connections

    async def _tell(self, stream: Stream) -> None:
        await self._identify.tell(stream, self.protocols.names(), self.announced)

    async def _hear(self, stream: Stream) -> None:
        if stream.connection in self.strangers:
            # What a stranger says of itself helps nobody, and with a new key each time it would fill the memory.
            stream.dismiss()
        else:
            await self._identify.hear(stream)


async def _echo(stream: Stream) -> None:
    while data := await stream.read(PING_BYTES):
        await stream.write(data)
    stream.close()
