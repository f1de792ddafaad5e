"""One Kaspa session from the first Version to its end, as a state machine.

    handshake ──HandshakeDone──▶ ready ──▶ closed
        └───────────Failed──────────────▶ closed

The last event of every session is Failed (the handshake did not get done) or Closed; after it nothing more comes out,
whatever goes in. No call raises on what a peer sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.errors import ProtocolError, SessionClosed
from kaspa_node.kaspa.events import Closed, Event, Failed, HandshakeDone, RejectReceived, RejectSent, Send
from kaspa_node.kaspa.flows import Flows
from kaspa_node.kaspa.handshake import KINDS, Handshake
from kaspa_node.kaspa.messages import Incoming, Unread

Phase = Literal["handshake", "ready", "closed"]


class Session:
    """Joins a handshake and the flows that follow it; `now` is in seconds of any monotonic clock."""

    def __init__(self, handshake: Handshake, flows: Flows) -> None:
        self._handshake = handshake
        self._flows = flows
        self._phase: Phase = "handshake"

    @property
    def phase(self) -> Phase:
        """The state of the session."""
        return self._phase

    def next_deadline(self) -> float:
        """When `on_time` wants to be called; infinity when never."""
        match self._phase:
            case "handshake":
                return self._handshake.deadline
            case "ready":
                return self._flows.deadline
            case "closed":
                return math.inf

    def start(self, now: float) -> list[Event]:
        """Begin the handshake."""
        return list(self._handshake.start(now))

    def receive(self, message: Incoming, now: float) -> list[Event]:
        """Take one message of the peer."""
        return self._guarded(self._take(message, now))

    def on_time(self, now: float) -> list[Event]:
        """Do what is due at `now`."""
        machine = self._handshake if self._phase == "handshake" else self._flows
        return self._guarded(machine.on_time(now))

    def ping(self, nonce: int, now: float) -> list[Event]:
        """Send a Ping; SessionClosed when the session is not ready, ValueError when the nonce is in use."""
        if self._phase != "ready":
            raise SessionClosed(f"a session in state {self._phase} sends no pings")
        return list(self._flows.ping(nonce, now))

    def fail(self, error: ProtocolError) -> list[Event]:
        """End the session for what the border found (bytes that are no message)."""
        if self._phase == "closed":
            return []
        events: list[Event] = []
        if error.tell_peer:
            events += [Send(messages.reject(error.reason)), RejectSent(error.reason)]
        return events + self.close(error.reason)

    def close(self, reason: str) -> list[Event]:
        """End the session without a word to the peer: it or we are going away."""
        if self._phase == "closed":
            return []
        failed = self._phase == "handshake"
        self._phase = "closed"
        return [Failed(reason) if failed else Closed(reason)]

    def _guarded(self, step: Iterable[Event]) -> list[Event]:
        if self._phase == "closed":
            return []
        events: list[Event] = []
        try:
            for event in step:
                events.append(event)
        except ProtocolError as error:
            events += self.fail(error)
        return events

    def _take(self, message: Incoming, now: float) -> Iterator[Event]:
        kind = messages.kind(message)
        if not kind:
            raise ProtocolError("received kaspad p2p message with empty payload", tell_peer=False)
        if not isinstance(message, Unread) and kind == "Reject":
            reason = messages.printable(messages.shorten(message.reject.reason)) or "no reason given"
            yield RejectReceived(reason)
            yield from self.close(reason)
        elif self._phase == "handshake":
            yield from self._in_handshake(message, now)
        elif kind in KINDS:
            raise ProtocolError(f"got {kind} after the handshake", tell_peer=False)
        else:
            yield from self._flows.receive(message, now)

    def _in_handshake(self, message: Incoming, now: float) -> Iterator[Event]:
        for event in self._handshake.receive(message, now):
            yield event
            if isinstance(event, HandshakeDone):
                self._phase = "ready"
                yield from self._flows.start(now)
