"""One libp2p host: its listening sockets, its connections, and the protocols it serves.

The host knows TCP and upgrades. Relays, circuits and hole punches bring connections of their own and have them adopted.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import trio
from libp2p.crypto.keys import KeyPair

from kaspa_node.p2p import identify, tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits, Places
from kaspa_node.p2p.channel import select, yamux
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, OUTGOING, RELAYED, Connection, Route
from kaspa_node.p2p.channel.negotiate import Answerer
from kaspa_node.p2p.channel.noise import NoiseKeys
from kaspa_node.p2p.channel.pipe import Pipe, SocketPipe
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.channel.upgrade import Upgrade
from kaspa_node.p2p.errors import ConnectionLost, DialError, P2PError, StreamReset
from kaspa_node.p2p.identify import PeerInfo
from kaspa_node.p2p.identify_service import IdentifyService

PING_PROTOCOL = "/ipfs/ping/1.0.0"
PING_BYTES = 32
DEFAULT_LIMITS = Limits()

Handler = Callable[[Stream], Awaitable[None]]
Guard = Callable[[str], bool]
Observer = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class _Served:
    handler: Handler
    permits: Guard


@dataclass(slots=True)
class Observers:
    """Who hears of connections; called synchronously, must not block."""

    up: list[Observer] = field(default_factory=list)
    down: list[Observer] = field(default_factory=list)


class Host:
    """A libp2p host on trio.

    identity: the Ed25519 key pair. agent, version: what identify tells of the program.
    limits: how many may come, and how long they may take.
    """

    def __init__(
        self, identity: KeyPair, peer_id: str, *, agent: str, version: str, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.peer_id = peer_id
        self.limits = limits
        self.listening: list[SocketAddress] = []
        self.announced: list[SocketAddress] = []
        self.connections: dict[str, list[Connection]] = {}
        self.observers = Observers()
        self.keys = NoiseKeys(identity, [yamux.PROTOCOL])
        self._identify = IdentifyService(
            identity.public_key, agent=agent, version=version, connected=self.connections, most=limits.known
        )
        self._served: dict[str, _Served] = {}
        self.running = trio.Event()
        self._listeners: list[socket.socket] = []
        self._nursery: trio.Nursery | None = None
        self._handshakes: Places[trio.CancelScope] = Places(limits.handshakes, limits.handshakes_each)
        self._strangers: Places[Connection] = Places(limits.strangers, limits.strangers_each)
        self._simultaneous: dict[SocketAddress, str] = {}
        self.serve(identify.PROTOCOL, self._tell)
        self.serve(identify.PUSH_PROTOCOL, self._identify.hear)
        self.serve(PING_PROTOCOL, _echo)

    @property
    def known(self) -> Mapping[str, PeerInfo]:
        """What peers have said of themselves, by peer id."""
        return self._identify.known

    # Protocols

    def serve(self, protocol: str, handler: Handler, permits: Guard = lambda peer: True) -> None:
        """Answer streams of `protocol` from peers that `permits` (a peer id) lets in; others are told `na`."""
        self._served[protocol] = _Served(handler, permits)

    async def _serve_stream(self, stream: Stream) -> None:
        answerer = Answerer(lambda name: name in self._served and self._served[name].permits(stream.remote))
        try:
            with trio.fail_after(self.limits.negotiate):
                await select.answer(stream, answerer)
            await self._served[stream.protocol].handler(stream)
        except (P2PError, trio.TooSlowError):
            stream.reset()

    async def open_stream(self, connection: Connection, protocols: Sequence[str]) -> Stream:
        """A stream that speaks one of `protocols`, by preference. Raises NegotiationError, StreamReset, ConnectionLost.

        Where it is known what the remote speaks, or nothing is to be chosen, no round trip is spent on asking.
        """
        stream = connection.open_stream()
        known = self.known.get(connection.remote)
        fitting = [p for p in protocols if known is not None and p in known.protocols] or list(protocols)
        if len(protocols) == 1 or (known is not None and fitting[0] in known.protocols):
            stream.propose(fitting[0])
        else:
            await self._agree(stream, protocols)
        return stream

    async def _agree(self, stream: Stream, protocols: Sequence[str]) -> None:
        agreed = False
        try:
            with trio.fail_after(self.limits.negotiate):
                await select.propose(stream, protocols)
            agreed = True
        except trio.TooSlowError as error:
            problem = f"no answer to the proposal of {protocols[0]} in {self.limits.negotiate:.0f} s"
            raise StreamReset(problem) from error
        finally:
            if not agreed:
                stream.reset()

    # Running

    def bind(self, listen: Iterable[SocketAddress]) -> None:
        """Open the listening sockets. Raises ListenError."""
        for address in listen:
            sock = tcp.listen(address)
            self._listeners.append(sock)
            name = sock.getsockname()
            self.listening.append(SocketAddress(name[0], name[1]))

    async def run(self) -> None:
        """Accept and carry connections until cancelled; `running` is set once it does."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for sock in self._listeners:
                    nursery.start_soon(self._accept_loop, sock)
                self.running.set()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            for sock in self._listeners:
                sock.close()

    def close(self, reason: str) -> None:
        """End every connection, telling the remotes."""
        for connection in self.all_connections():
            connection.close(reason)

    def all_connections(self) -> list[Connection]:
        """The connections that stand now."""
        return [connection for group in self.connections.values() for connection in group]

    async def _accept_loop(self, listener: socket.socket) -> None:
        assert self._nursery is not None
        while True:
            await trio.lowlevel.wait_readable(listener.fileno())
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue
            except OSError:
                # Out of descriptors: the pause lets other connections end instead of spinning on the error.
                await trio.sleep(0.1)
                continue
            sock.setblocking(False)
            if self._served_connections() >= self.limits.connections:
                sock.close()
            else:
                self._nursery.start_soon(self._accept, sock)

    def _served_connections(self) -> int:
        return sum(map(len, self.connections.values())) - len(self._strangers)

    async def _accept(self, sock: socket.socket) -> None:
        pipe = SocketPipe(sock)
        with trio.CancelScope() as handshake:
            try:
                local, remote = tcp.names(sock)
                expected = self._simultaneous.get(remote)
                if expected is None and (displaced := self._handshakes.take(handshake, remote.ip)) is not None:
                    displaced.cancel()
                # The remote of a simultaneous open may meet our listener instead of our own dial: the roles stay as
                # agreed.
                upgrade, _ = await self.upgrade(pipe, initiator=expected is not None, expected=expected)
                direction = INCOMING if expected is None else OUTGOING
                self.adopt(Connection(pipe, upgrade, Route(DIRECT, direction, str(local), str(remote))))
            except P2PError:
                pipe.abort()
            finally:
                self._handshakes.leave(handshake)

    def expect_simultaneous(self, address: SocketAddress, peer: str) -> Callable[[], None]:
        """Until the returned function is called, who connects from `address` is `peer`, and is met as by a dialer."""
        self._simultaneous[address] = peer

        def over() -> None:
            self._simultaneous.pop(address, None)

        return over

    # Connections

    async def upgrade(self, pipe: Pipe, *, initiator: bool, expected: str | None) -> tuple[Upgrade, float]:
        """Secure and multiplex `pipe`; returns the finished upgrade and the first round trip in seconds.

        Raises P2PError; the pipe is aborted then.
        """
        upgrade = Upgrade(self.keys, initiator=initiator, expected=expected)
        start, round_trip = trio.current_time(), 0.0
        finished = False
        try:
            with trio.fail_after(self.limits.upgrade):
                await _send_all(pipe, upgrade.opening())
                while not upgrade.done:
                    data = await pipe.receive()
                    round_trip = round_trip or trio.current_time() - start
                    if not data:
                        raise ConnectionLost("the remote hung up during the handshake")
                    await _send_all(pipe, upgrade.receive(data))
            finished = True
        except trio.TooSlowError as error:
            raise DialError(f"no secure channel within {self.limits.upgrade:.0f} s") from error
        finally:
            if not finished:
                pipe.abort()
        return upgrade, round_trip

    def adopt(self, connection: Connection) -> None:
        """Carry a connection from now on, and tell the observers. Raises DialError where the host is stopping."""
        if self._nursery is None:
            connection.close("this host is stopping")
            raise DialError("this host is stopping")
        self._nursery.start_soon(self._carry, connection)
        self.connections.setdefault(connection.remote, []).append(connection)
        for observer in self.observers.up:
            observer(connection)

    async def _carry(self, connection: Connection) -> None:
        assert self._nursery is not None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._identify.ask, connection, self.limits.negotiate)
                await connection.run(self._serve_stream)
                nursery.cancel_scope.cancel()
        finally:
            self._strangers.leave(connection)
            group = self.connections.get(connection.remote, [])
            if connection in group:
                group.remove(connection)
            if not group:
                self.connections.pop(connection.remote, None)
            for observer in self.observers.down:
                observer(connection)

    def start_soon(self, task: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Run a task as long as the host runs; nothing happens where it is stopping."""
        if self._nursery is not None:
            self._nursery.start_soon(task, *arguments)

    def close_later(self, connection: Connection, reason: str) -> None:
        """End a connection that nobody here wants, once it had time to be refused, or at once to make room.

        Call it as an observer: a stranger is kept short from its first frame.
        """
        connection.mux.most_incoming = self.limits.stranger_streams
        connection.mux.growth = 0
        displaced = self._strangers.take(connection, SocketAddress.parse(connection.route.remote).ip)
        if displaced is not None:
            displaced.close("another stranger took its place")

        async def wait_and_close() -> None:
            with trio.move_on_after(self.limits.stranger):
                await connection.closed.wait()
            connection.close(reason)

        self.start_soon(wait_and_close)

    def connection_to(self, peer: str, path: str | None = None) -> Connection | None:
        """The newest standing connection to `peer`, on `path` where one is named."""
        for connection in reversed(self.connections.get(peer, [])):
            if not connection.closed.is_set() and path in (None, connection.route.path):
                return connection
        return None

    def circuits_over(self, connection: Connection) -> list[Connection]:
        """The standing relayed connections that run over a direct one to their relay."""
        end = (RELAYED, connection.remote, connection.route.local, connection.route.remote)
        standing = [each for each in self.all_connections() if not each.closed.is_set()]
        return [c for c in standing if (c.route.path, c.route.relay, c.route.local, c.route.remote) == end]

    def beside(self, connection: Connection) -> list[Connection]:
        """The other standing direct connections that come from the same port of ours."""
        direct = [c for c in self.all_connections() if c.route.path == DIRECT and not c.closed.is_set()]
        return [c for c in direct if c is not connection and c.route.local_port == connection.route.local_port]

    async def dial(self, address: SocketAddress, peer: str, *, port: int | None = None) -> Connection:
        """A direct connection to `peer` at `address`, from the listening port, or from `port`; 0 is any free one.

        Raises P2PError.
        """
        try:
            with trio.fail_after(self.limits.connect):
                sock = await tcp.connect(address, self.local_for(address, port))
        except trio.TooSlowError as error:
            raise DialError(f"{address}: no answer within {self.limits.connect:.0f} s") from error
        return await self.secure(sock, peer, initiator=True, direction=OUTGOING)

    async def secure(self, sock: socket.socket, peer: str, *, initiator: bool, direction: str) -> Connection:
        """Upgrade a connected socket to `peer` and adopt it. Raises P2PError."""
        pipe = SocketPipe(sock)
        try:
            local, remote = tcp.names(sock)
        except DialError:
            pipe.abort()
            raise
        upgrade, round_trip = await self.upgrade(pipe, initiator=initiator, expected=peer)
        connection = Connection(pipe, upgrade, Route(DIRECT, direction, str(local), str(remote)))
        connection.mux.round_trip = round_trip or connection.mux.round_trip
        self.adopt(connection)
        return connection

    def local_for(self, remote: SocketAddress, port: int | None = None) -> SocketAddress | None:
        """The address to dial `remote` from: that on which this host listens, with another port where one is named."""
        listening = next((address for address in self.listening if address.is_ipv6 == remote.is_ipv6), None)
        if port is None:
            return listening
        return SocketAddress(listening.ip if listening else "::" if remote.is_ipv6 else "0.0.0.0", port)

    async def _tell(self, stream: Stream) -> None:
        await self._identify.tell(stream, sorted(self._served), self.announced)


async def _echo(stream: Stream) -> None:
    while data := await stream.read(PING_BYTES):
        await stream.write(data)
    stream.close()


async def _send_all(pipe: Pipe, data: bytes) -> None:
    view = memoryview(data)
    while view:
        taken = pipe.try_send(view)
        view = view[taken:]
        if view:
            await pipe.wait_writable()
