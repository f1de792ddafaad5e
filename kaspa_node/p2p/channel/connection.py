"""One secured, multiplexed connection: the cores of Noise and yamux driven by trio.

Everything between two waits is synchronous: bytes in, plaintext, frames, waking the reader; and frames, ciphertext,
send. What the pipe does not take at once waits in a queue for the writer task, and writers wait for the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from kaspa_node.p2p import budget
from kaspa_node.p2p.addresses import Mapping, SocketAddress
from kaspa_node.p2p.budget import SERVED, Budget
from kaspa_node.p2p.channel import yamux
from kaspa_node.p2p.channel.noise import NoiseTransport
from kaspa_node.p2p.channel.pipe import Pipe
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.channel.upgrade import Upgrade
from kaspa_node.p2p.errors import ConnectionLost, ConnectionStarved, P2PError, ProtocolError

DIRECT = "direct"
RELAYED = "relayed"
OUTGOING = "outgoing"
INCOMING = "incoming"

HIGH_WATER = 512 * 1024
# Writers wait at HIGH_WATER; beyond it there are only answers of a few bytes each.
FLOOD = 2 * 1024 * 1024
QUIET_SECONDS = 15.0
SILENT_SECONDS = 30.0
# For an answer on a connection whose remote has opened another one: longer than a slow line holds a full queue.
DOUBT_SECONDS = 5.0

OVERDRAWN = "it asks for more work than its share"

StreamHandler = Callable[[Stream], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CircuitLimit:
    """What a relay lets through a circuit (relay/circuit-v2.md, Limit). seconds, bytes each way: 0 for no limit."""

    seconds: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Route:
    """How a connection runs.

    path: DIRECT or RELAYED. direction: OUTGOING if this side dialed. local, remote: socket addresses `ip:port`;
    of a relayed connection those of the connection to the relay. relay: the relay's peer id, or None. limit: of the
    circuit, or None if the relay has named none.
    """

    path: str
    direction: str
    local: str
    remote: str
    relay: str | None = None
    limit: CircuitLimit | None = None

    @property
    def local_port(self) -> int:
        """The port on this side."""
        return SocketAddress.parse(self.local).port


class Connection:
    """A connection to one peer.

    remote: the peer's id. id: 16 hex digits of the handshake hash, the same on both ends and on no other connection.
    observed: where the remote sees this side, when `identified` is set, if the remote has reported it.
    reason: why it has ended. starved: because nothing came through any more. overdrawn: because of its budget.
    under: of a relayed connection, the connection to the relay over which its circuit runs; otherwise None.
    budget: what the work that the remote causes here is paid from; others may share it.
    """

    def __init__(
        self, pipe: Pipe, upgrade: Upgrade, route: Route, *, round_trip: float = 0.0, under: Connection | None = None
    ) -> None:
        if upgrade.session is None:
            raise ValueError("the upgrade is not finished")
        self.remote = upgrade.remote
        self.id = upgrade.binding[:8].hex()
        self.route = route
        self.under = under
        self.closed = trio.Event()
        self.identified = trio.Event()
        self.observed: SocketAddress | None = None
        self.reason = ""
        self.starved = self.overdrawn = False
        self.bytes_sent = 0
        self.bytes_received = 0
        self.since = trio.current_time()
        self.budget = Budget(SERVED, self.since)
        self.mux = yamux.Yamux(initiator=upgrade.initiator)
        self.mux.round_trip = round_trip or self.mux.round_trip
        self._pipe = pipe
        self._session: NoiseTransport = upgrade.session
        self._early = upgrade.plaintext
        self._streams: dict[int, Stream] = {}
        self._unsent: deque[bytes | memoryview] = deque()
        self._unsent_bytes = 0
        self._writer = trio.lowlevel.ParkingLot()
        self._drained = trio.lowlevel.ParkingLot()
        self._heard = self.since
        self._doubted = False
        self._pings: dict[int, trio.Event] = {}
        self._next_ping = 0
        self._most_held: int | None = None
        self._scope: trio.CancelScope | None = None

    @property
    def mapping(self) -> Mapping | None:
        """Where the remote sees our port, if it has reported that."""
        return None if self.observed is None else Mapping(self.route.local_port, self.observed)

    @property
    def round_trip(self) -> float:
        """Seconds to the remote and back, as last measured; a guess before that."""
        return self.mux.round_trip

    def restrict(self, streams: int, held: int) -> None:
        """Give the remote no more than `streams` streams, and no window beyond the first.

        held: bytes that wait here to be read, or to be sent to it; whoever exceeds that is hung up on.
        """
        self.mux.most_incoming = streams
        self.mux.growth = yamux.Growth(0)
        self._most_held = held

    def share_with(self, other: Connection, streams: Callable[[], int]) -> None:
        """Have one share with another connection of the same remote, in windows and in streams.

        streams: that the remote has open on all its connections.
        """
        self.mux.growth = other.mux.growth
        for each in (self, other):
            each.mux.elsewhere = lambda each=each: streams() - each.mux.incoming  # type: ignore[misc]

    @property
    def incoming_streams(self) -> int:
        """Streams that the remote has open."""
        return self.mux.incoming

    @property
    def congested(self) -> bool:
        """True while so much waits to be sent that writers should wait."""
        return self._unsent_bytes > HIGH_WATER

    async def run(self, serve: StreamHandler) -> None:
        """Carry the connection until it ends, whatever the reason; `serve` is called in a task per incoming stream."""
        try:
            async with trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                if self.closed.is_set():
                    return
                nursery.start_soon(self._write_loop)
                nursery.start_soon(self._watch)
                await self._read_loop(nursery, serve)
        finally:
            self.close("stopped here")

    async def _read_loop(self, nursery: trio.Nursery, serve: StreamHandler) -> None:
        try:
            await self._take_all(self._early, nursery, serve)
            self._early = []
            while not self.closed.is_set():
                data = await self._pipe.receive()
                if not data:
                    self.close("closed by the remote")
                    break
                self._heard = trio.current_time()
                self.bytes_received += len(data)
                if self.budget.rate.all_receives or len(data) < budget.SMALL_RECEIVE:
                    await self.pay(budget.RECEIVE)
                await self._take_all(self._session.open(data), nursery, serve)
        except P2PError as error:
            self._fail(error)
        nursery.cancel_scope.cancel()

    async def _take_all(self, messages: list[bytes], nursery: trio.Nursery, serve: StreamHandler) -> None:
        for number, plaintext in enumerate(messages, 1):
            waiting: bytes | None = plaintext
            while waiting is not None:
                before = self.mux.frames
                events = self.mux.receive(waiting)
                opened = sum(1 for e in events if isinstance(e, yamux.Opened) and not e.stream.was_reset)
                work = budget.MESSAGE + budget.FRAME * (self.mux.frames - before) + budget.EVENT * len(events)
                # What follows from the frames, above all the handlers of streams, is paid for before it begins.
                await self.pay(work + budget.STREAM * opened)
                self._follow(events, nursery, serve)
                waiting = b"" if self.mux.waiting else None
                if waiting is not None or number % yamux.FRAMES_AT_ONCE == 0:
                    await trio.lowlevel.checkpoint()
            if self._most_held is not None and self.mux.unread > self._most_held:
                self.close("it sends what nobody reads")
        self.flush()

    def _follow(self, events: list[yamux.Event], nursery: trio.Nursery, serve: StreamHandler) -> None:
        for event in events:
            if isinstance(event, yamux.Changed):
                stream = self._streams.get(event.stream.id)
                if stream is not None:
                    stream.wake()
                    self.forget_if_over(event.stream)
            elif isinstance(event, yamux.Opened):
                # A stream that was reset at once needs no handler.
                if not event.stream.was_reset:
                    nursery.start_soon(serve, self._add(event.stream))
            elif isinstance(event, yamux.Pong):
                answered = self._pings.pop(event.nonce, None)
                if answered is not None:
                    answered.set()

    async def pay(self, work: float) -> None:
        """Pay for `work` (seconds of a core) that the remote causes here: returns once nothing is owed.

        Raises ConnectionLost if the remote has asked for too much for too long; the connection is ended then.
        """
        wait = self.budget.spend(work, trio.current_time())
        while wait:
            if self.budget.overdrawn:
                self.overdrawn = self.overdrawn or not self.closed.is_set()
                self.close(OVERDRAWN)
            self.check()
            self.flush()
            await trio.sleep(wait)
            wait = self.budget.spend(0.0, trio.current_time())

    # Sending

    def flush(self) -> None:
        """Send the frames that wait, as far as the pipe takes them; the rest follows by itself."""
        output = self.mux.take_output()
        if not output or self.closed.is_set():
            return
        sealed = self._session.seal(output)
        self.bytes_sent += len(sealed)
        self._unsent.append(sealed)
        self._unsent_bytes += len(sealed)
        if self._unsent_bytes > (FLOOD if self._most_held is None else self._most_held):
            self.close("the remote asks and does not read the answers")
        elif len(self._unsent) == 1:
            self._push()
        if self._unsent:
            self._writer.unpark_all()

    def _push(self) -> None:
        try:
            while self._unsent:
                chunk = self._unsent[0]
                taken = self._pipe.try_send(chunk)
                self._unsent_bytes -= taken
                if taken < len(chunk):
                    self._unsent[0] = memoryview(chunk)[taken:]
                    return
                self._unsent.popleft()
        except ConnectionLost as error:
            self._fail(error)

    async def _write_loop(self) -> None:
        while not self.closed.is_set():
            if not self._unsent:
                await self._writer.park()
                continue
            try:
                await self._pipe.wait_writable()
            except ConnectionLost as error:
                self._fail(error)
                return
            self._push()
            if not self.congested:
                self._drained.unpark_all()

    async def wait_drained(self) -> None:
        """Return once writers may go on; raises ConnectionLost when the connection ends before."""
        while self.congested:
            self.check()
            await self._drained.park()
        self.check()

    # Streams

    def open_stream(self) -> Stream:
        """A new stream on which nothing is agreed yet. Raises ConnectionLost."""
        self.check()
        return self._add(self.mux.open())

    def _add(self, state: yamux.YamuxStream) -> Stream:
        stream = Stream(self, state)
        self._streams[state.id] = stream
        return stream

    def forget_if_over(self, state: yamux.YamuxStream) -> None:
        """Let go of a stream that has ended both ways."""
        if state.id not in self.mux.streams:
            self._streams.pop(state.id, None)

    # Life and death

    def check(self) -> None:
        """Raise ConnectionLost if the connection has ended."""
        if self.closed.is_set():
            raise ConnectionLost(self.reason)

    async def ping(self) -> float:
        """Seconds for one frame to the remote and back. Raises ConnectionLost."""
        self.check()
        self._next_ping = (self._next_ping + 1) & 0xFFFFFFFF
        nonce, answered, start = self._next_ping, trio.Event(), trio.current_time()
        self._pings[nonce] = answered
        self.mux.ping(nonce)
        self.flush()
        try:
            await answered.wait()
        finally:
            self._pings.pop(nonce, None)
        self.check()
        self.mux.round_trip = trio.current_time() - start
        return self.mux.round_trip

    async def _watch(self) -> None:
        """End a connection whose remote is silent: a NAT that has forgotten the flow does not report it."""
        try:
            with trio.move_on_after(SILENT_SECONDS):
                await self.ping()
            while True:
                quiet = trio.current_time() - self._heard
                if quiet >= SILENT_SECONDS:
                    self._fail(ConnectionStarved(f"nothing heard for {quiet:.0f} s"))
                    return
                if quiet < QUIET_SECONDS:
                    await trio.sleep(QUIET_SECONDS - quiet)
                else:
                    with trio.move_on_after(SILENT_SECONDS - quiet):
                        await self.ping()
        except ConnectionLost:
            return

    async def prove_alive(self) -> None:
        """End the connection if nothing comes through any more. Its remote has opened another one, perhaps for that."""
        if self._doubted:
            return
        asked, self._doubted = trio.current_time(), True
        try:
            with trio.move_on_after(DOUBT_SECONDS):
                await self.ping()
        except ConnectionLost:
            return
        finally:
            self._doubted = False
        if self._heard < asked:
            problem = f"nothing heard for {DOUBT_SECONDS:.0f} s while its remote opened another connection"
            self._fail(ConnectionStarved(problem))

    def _fail(self, error: P2PError) -> None:
        if not self.closed.is_set():
            self.starved = isinstance(error, ConnectionStarved)
        self.close(str(error))

    def close(self, reason: str, code: int = 0) -> None:
        """End the connection, all its streams with it; idempotent. reason: for the log."""
        if self.closed.is_set():
            return
        self.reason = reason
        self._farewell(code)
        self.closed.set()
        self._pipe.abort()
        for stream in list(self._streams.values()):
            stream.lose()
        self._streams.clear()
        self.mux.abandon()
        for answered in self._pings.values():
            answered.set()
        self._writer.unpark_all()
        self._drained.unpark_all()
        if self._scope is not None:
            self._scope.cancel()

    def _farewell(self, code: int) -> None:
        """Say GO_AWAY on a relayed connection. A direct one ends with a TCP reset alone.

        go-libp2p answers GO_AWAY with a reset of its own. If two resets cross, the routers of both sides (Linux) drop
        the SYNs of the next hole punch between the same ports for ten seconds.
        """
        if self._unsent or self.route.path == DIRECT:
            return
        self.mux.go_away(code)
        try:
            self._pipe.try_send(self._session.seal(self.mux.take_output()))
        except (ConnectionLost, ProtocolError):
            return
