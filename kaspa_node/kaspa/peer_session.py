"""One session with one peer: the trio task that drives the state machine over a link."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import trio

from kaspa_node.journal import Journal
from kaspa_node.kaspa import events
from kaspa_node.kaspa.budget import RATE
from kaspa_node.kaspa.config import KaspaConfig, Transport
from kaspa_node.kaspa.errors import (
    DuplicateConnection,
    HandshakeFailed,
    PingTimeout,
    ProtocolError,
    SessionClosed,
    StreamEnded,
)
from kaspa_node.kaspa.flows import Flows, FlowSources
from kaspa_node.kaspa.handshake import DUPLICATE_CONNECTION, Handshake
from kaspa_node.kaspa.hub import Hub, PeerKey
from kaspa_node.kaspa.link import Link
from kaspa_node.kaspa.report import Reporter
from kaspa_node.kaspa.session import Session

State = Literal["handshake", "ready", "closed"]

PINGS_UNDER_WAY = 32
"""Unanswered pings of an exercise at a time; kaspad disconnects when 256 wait in its route."""

LINGER = 3.0
"""Seconds that a closing session gives its last words, and the peer, before the stream is cancelled."""


class KaspaSession:
    """A session, from the opening of its stream until nothing is left of it.

    since: unix time of the opening. applied_protocol, user_agent: None until the peer is ready.
    handshake_seconds: opening to Ready, None until then. Bytes are those of Kaspa messages: sent ones before
    they are packed, received ones as they came.
    on_ready: called once the handshake is done.
    close_reason: one line, None while it lives; closed: set when its stream is gone too.
    """

    def __init__(
        self,
        config: KaspaConfig,
        transport: Transport,
        link: Link,
        hub: Hub,
        journal: Journal,
        on_ready: Callable[[KaspaSession], None] = lambda session: None,
    ) -> None:
        self.transport = transport
        self.since = time.time()
        self.applied_protocol: int | None = None
        self.user_agent: str | None = None
        self.handshake_seconds: float | None = None
        self.bytes_sent = 0
        self.bytes_received = 0
        self.messages_sent = 0
        self.messages_received = 0
        self.close_reason: str | None = None
        self.closed = trio.Event()
        self._link = link
        self._on_ready = on_ready
        self._hub = hub
        self._nonce = config.nonce
        self._opened = trio.current_time()
        self._settled = trio.Event()
        self._wait = trio.CancelScope()
        self._key: PeerKey | None = None
        self._answers: dict[int, trio.MemorySendChannel[None]] = {}
        self._report = Reporter(journal, transport)
        self._budget = hub.budget(transport.peer, self._opened)
        self._slowed = False
        handshake = Handshake(config.handshake(), time.time_ns() // 1_000_000, self._taken)
        flows = Flows(FlowSources(config.nonce, hub.addresses), config.ping_interval)
        self._machine = Session(handshake, flows)

    @property
    def state(self) -> State:
        """`handshake`, `ready` or `closed`."""
        return self._machine.phase

    async def run(self) -> None:
        """The session's task; ends when the session has ended. If it is cancelled, it closes the session first."""
        self._report.opened()
        try:
            self._apply(self._machine.start(self._opened))
            while self._machine.phase != "closed":
                with trio.CancelScope(deadline=self._machine.next_deadline()) as self._wait:
                    await self._step()
                self._apply(self._machine.on_time(trio.current_time()))
        except StreamEnded as end:
            self._apply(self._machine.close(end.reason))
        finally:
            self._apply(self._machine.close("this node is shutting down"))
            await self._link.finish(LINGER)
            self.closed.set()

    async def ready(self) -> None:
        """Wait for the end of the handshake. Raises HandshakeFailed, of which DuplicateConnection is one kind."""
        await self._settled.wait()
        if self.applied_protocol is None:
            reason = self.close_reason or "the session was closed"
            raise (DuplicateConnection if reason == DUPLICATE_CONNECTION else HandshakeFailed)(reason)

    async def ping(self, count: int, timeout: float) -> float:  # noqa: ASYNC109 (the caller gets an error with a count)
        """Have `count` pings answered, each with its own nonce; the seconds it took.

        Raises SessionClosed if the session is not ready or ends meanwhile, PingTimeout after `timeout` seconds.
        """
        if self.state != "ready":
            raise SessionClosed(f"the session is in state {self.state}: {self.close_reason or 'not ready yet'}")
        started = trio.current_time()
        answer, answers = trio.open_memory_channel[None](PINGS_UNDER_WAY)
        sent = answered = 0
        with trio.move_on_after(timeout) as limit, answer, answers:
            while answered < count:
                # The session may have ended after the last answer: then the channel says so below.
                while sent < count and sent - answered < PINGS_UNDER_WAY and self.state == "ready":
                    self._ping(answer)
                    sent += 1
                try:
                    await answers.receive()
                except trio.EndOfChannel:
                    break
                answered += 1
        if self.close_reason is not None and answered < count:
            raise SessionClosed(f"the session ended after {answered} of {count} pings: {self.close_reason}")
        if limit.cancelled_caught:
            raise PingTimeout(f"{answered} of {count} pings were answered within {timeout:g} s")
        return trio.current_time() - started

    async def disconnect(self, reason: str) -> None:
        """Close the session and wait until nothing is left of it."""
        self._apply(self._machine.close(reason))
        self._wait.cancel()
        await self.closed.wait()

    def _taken(self, node_id: bytes) -> bool:
        return self._hub.taken((node_id, self.transport.host))

    def _ping(self, answer: trio.MemorySendChannel[None]) -> None:
        nonce = self._nonce()
        self._answers[nonce] = answer
        self._apply(self._machine.ping(nonce, trio.current_time()))
        self._wait.deadline = min(self._wait.deadline, self._machine.next_deadline())

    async def _step(self) -> None:
        if self._link.congested:
            await self._link.relieved()
            return
        pause = self._budget.wait(trio.current_time())
        if pause:
            # What the peer sends meanwhile waits in the link, and then, by flow control, at the peer.
            self._slow()
            await trio.sleep(pause)
            return
        try:
            arrival = await self._link.receive()
        except ProtocolError as error:
            self._apply(self._machine.fail(error))
            return
        self._budget.spend(trio.current_time())
        self.bytes_received += arrival.size
        self.messages_received += 1
        self._apply(self._machine.receive(arrival.message, trio.current_time()))

    def _slow(self) -> None:
        if not self._slowed:
            self._slowed = True
            self._report.slowed(RATE)

    def _apply(self, happened: list[events.Event]) -> None:
        for event in happened:
            match event:
                case events.Send(message):
                    data = message.SerializeToString()
                    self.bytes_sent += len(data)
                    self.messages_sent += 1
                    self._link.send(data)
                case events.Accepted(node_id):
                    self._key = (node_id, self.transport.host)
                    self._hub.take(self._key)
                case events.HandshakeDone():
                    self._on_established(event)
                case events.PingAnswered(nonce):
                    self._on_answer(nonce)
                case events.AddressesReceived(addresses):
                    self._hub.book.add(addresses)
                case events.Failed(reason) | events.Closed(reason):
                    self._on_end(reason)
                case _:
                    pass
            self._report.event(event)

    def _on_established(self, event: events.HandshakeDone) -> None:
        self.applied_protocol = event.applied
        self.user_agent = event.user_agent
        self.handshake_seconds = trio.current_time() - self._opened
        if event.address is not None:
            self._hub.book.add([event.address])
        count = self._hub.connected(self.transport.direction)
        self._report.connected(event, count, self.handshake_seconds)
        self._settled.set()
        self._on_ready(self)

    def _on_answer(self, nonce: int) -> None:
        answer = self._answers.pop(nonce, None)
        if answer is None:
            return
        try:
            answer.send_nowait(None)
        except trio.ClosedResourceError:
            # Whoever asked has stopped waiting.
            return

    def _on_end(self, reason: str) -> None:
        self.close_reason = reason
        if self._key is not None:
            self._hub.release(self._key)
        if self.applied_protocol is not None:
            self._hub.disconnected(self.transport.direction)
        for answer in self._answers.values():
            answer.close()
        self._answers.clear()
        self._settled.set()
