"""One libp2p host: its listening sockets, its connections, and the protocols it serves.

The host knows TCP and upgrades. Relays, circuits and hole punches bring connections of their own and have them adopted.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import trio
from libp2p.crypto.keys import KeyPair

from kaspa_node.p2p import identify, select, tcp, yamux
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.connection import DIRECT, INCOMING, OUTGOING, Connection, Route
from kaspa_node.p2p.errors import ConnectionLost, DialError, P2PError, StreamReset
from kaspa_node.p2p.identify import PeerInfo
from kaspa_node.p2p.negotiate import Answerer
from kaspa_node.p2p.noise import NoiseKeys
from kaspa_node.p2p.pipe import Pipe, SocketPipe
from kaspa_node.p2p.stream import Stream
from kaspa_node.p2p.upgrade import Upgrade
from kaspa_node.p2p.wire import delimited

UPGRADE_SECONDS = 10.0
CONNECT_SECONDS = 10.0
NEGOTIATE_SECONDS = 10.0
PING_PROTOCOL = "/ipfs/ping/1.0.0"
PING_BYTES = 32
MAX_CONNECTIONS = 2048
MAX_KNOWN = 4096
# Time for a stranger to be told why it is not served.
STRANGER_SECONDS = 10.0
MAX_PENDING_UPGRADES = 256

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
    """

    def __init__(self, identity: KeyPair, peer_id: str, *, agent: str, version: str) -> None:
        self.peer_id = peer_id
        self.listening: list[SocketAddress] = []
        self.announced: list[SocketAddress] = []
        self.connections: dict[str, list[Connection]] = {}
        self.known: dict[str, PeerInfo] = {}
        self.observers = Observers()
        self.keys = NoiseKeys(identity, [yamux.PROTOCOL])
        self._identity = identity
        self._agent = agent
        self._version = version
        self._served: dict[str, _Served] = {}
        self.running = trio.Event()
        self._listeners: list[socket.socket] = []
        self._nursery: trio.Nursery | None = None
        self._upgrades = trio.CapacityLimiter(MAX_PENDING_UPGRADES)
        self._simultaneous: dict[SocketAddress, str] = {}
        self.serve(identify.PROTOCOL, self._tell)
        self.serve(identify.PUSH_PROTOCOL, self._hear)
        self.serve(PING_PROTOCOL, _echo)

    # Protocols

    def serve(self, protocol: str, handler: Handler, permits: Guard = lambda peer: True) -> None:
        """Answer streams of `protocol` from peers that `permits` (a peer id) lets in; others are told `na`."""
        self._served[protocol] = _Served(handler, permits)

    async def _serve_stream(self, stream: Stream) -> None:
        answerer = Answerer(lambda name: name in self._served and self._served[name].permits(stream.remote))
        try:
            with trio.fail_after(NEGOTIATE_SECONDS):
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
            with trio.fail_after(NEGOTIATE_SECONDS):
                await select.propose(stream, protocols)
            agreed = True
        except trio.TooSlowError as error:
            raise StreamReset(f"no answer to the proposal of {protocols[0]} in {NEGOTIATE_SECONDS:.0f} s") from error
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
            full = len(self.all_connections()) >= MAX_CONNECTIONS or self._upgrades.available_tokens < 1
            if full:
                sock.close()
            else:
                self._nursery.start_soon(self._accept, sock)

    async def _accept(self, sock: socket.socket) -> None:
        pipe = SocketPipe(sock)
        try:
            local, remote = tcp.names(sock)
            expected = self._simultaneous.get(remote)
            # The remote of a simultaneous open may meet our listener instead of our own dial: the roles stay as agreed.
            upgrade, _ = await self.upgrade(pipe, initiator=expected is not None, expected=expected)
            direction = INCOMING if expected is None else OUTGOING
            self.adopt(Connection(pipe, upgrade, Route(DIRECT, direction, str(local), str(remote))))
        except P2PError:
            pipe.abort()

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
            async with self._upgrades:
                with trio.fail_after(UPGRADE_SECONDS):
                    await _send_all(pipe, upgrade.opening())
                    while not upgrade.done:
                        data = await pipe.receive()
                        round_trip = round_trip or trio.current_time() - start
                        if not data:
                            raise ConnectionLost("the remote hung up during the handshake")
                        await _send_all(pipe, upgrade.receive(data))
            finished = True
        except trio.TooSlowError as error:
            raise DialError(f"no secure channel within {UPGRADE_SECONDS:.0f} s") from error
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
                nursery.start_soon(self._identify, connection)
                await connection.run(self._serve_stream)
                nursery.cancel_scope.cancel()
        finally:
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
        """End a connection that nobody here wants, once it had time to be refused."""

        async def wait_and_close() -> None:
            with trio.move_on_after(STRANGER_SECONDS):
                await connection.closed.wait()
            connection.close(reason)

        self.start_soon(wait_and_close)

    def connection_to(self, peer: str, path: str | None = None) -> Connection | None:
        """The newest standing connection to `peer`, on `path` where one is named."""
        for connection in reversed(self.connections.get(peer, [])):
            if not connection.closed.is_set() and path in (None, connection.route.path):
                return connection
        return None

    async def dial(self, address: SocketAddress, peer: str, *, reuse_port: bool = True) -> Connection:
        """A direct connection to `peer` at `address`, from the listening port if wanted. Raises P2PError."""
        local = self.local_for(address) if reuse_port else None
        try:
            with trio.fail_after(CONNECT_SECONDS):
                sock = await tcp.connect(address, local)
        except trio.TooSlowError as error:
            raise DialError(f"{address}: no answer within {CONNECT_SECONDS:.0f} s") from error
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

    def local_for(self, remote: SocketAddress) -> SocketAddress | None:
        """The listening address of the family of `remote`, to dial from."""
        return next((address for address in self.listening if address.is_ipv6 == remote.is_ipv6), None)

    # identify and ping

    def _about_us(self, connection: Connection) -> bytes:
        observed = None
        if connection.route.path == DIRECT:
            ip, _, port = connection.route.remote.rpartition(":")
            observed = SocketAddress(ip.strip("[]"), int(port))
        return identify.encode(
            key=self._identity.public_key,
            agent=self._agent,
            version=self._version,
            protocols=sorted(self._served),
            listen=self.announced,
            observed=observed,
        )

    async def _tell(self, stream: Stream) -> None:
        await stream.write(delimited(self._about_us(stream.connection)))
        stream.close()

    async def _hear(self, stream: Stream) -> None:
        self._learn(stream.remote, identify.decode(await select.read_message(stream, identify.MAX_BYTES)))
        stream.close()

    def _learn(self, peer: str, info: PeerInfo) -> None:
        self.known.pop(peer, None)
        self.known[peer] = info
        if len(self.known) > MAX_KNOWN:
            # Anybody can come with a new identity each time: the longest known that is not connected is forgotten.
            del self.known[next((p for p in self.known if p not in self.connections), peer)]

    async def _identify(self, connection: Connection) -> None:
        """Ask the remote who it is; what it does not tell in time stays unknown."""
        stream: Stream | None = None
        try:
            stream = await self.open_stream(connection, [identify.PROTOCOL])
            with trio.fail_after(NEGOTIATE_SECONDS):
                self._learn(connection.remote, identify.decode(await select.read_message(stream, identify.MAX_BYTES)))
            stream.close()
        except (P2PError, trio.TooSlowError):
            if stream is not None:
                stream.reset()
        finally:
            connection.identified.set()


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
