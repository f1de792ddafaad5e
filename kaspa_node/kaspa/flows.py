"""After Ready: addresses asked for once, pings both ways, and a line for what we have no use for (kaspad v7 flows).

No socket, clock or randomness of its own: time comes in with each call, nonces and addresses from given sources. Each
step yields its events and may end in a ProtocolError: what it yielded before still holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kaspa_node.kaspa import messages
from kaspa_node.kaspa.addresses import NodeAddress, addresses_from_wire, to_wire
from kaspa_node.kaspa.errors import ProtocolError
from kaspa_node.kaspa.events import AddressesReceived, Event, Ignored, PingAnswered, PingReceived, Send
from kaspa_node.kaspa.messages import Incoming, Unread
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from kaspa_node.kaspa.protowire.p2p_pb2 import AddressesMessage

PING_INTERVAL = 120.0
"""Seconds from an answered Ping to the next (kaspad v7/ping.rs)."""

ANSWER_TIMEOUT = 120.0
"""Seconds that the peer has for a Pong or for Addresses (kaspad common.rs, DEFAULT_TIMEOUT)."""


@dataclass(frozen=True, slots=True)
class FlowSources:
    """What flows need from outside. nonce: a fresh 64-bit number; addresses: the answer to a peer that asks."""

    nonce: Callable[[], int]
    addresses: Callable[[], Sequence[NodeAddress]]


class Flows:
    """The flows of one session. A violation by the peer, or time running out, raises ProtocolError."""

    def __init__(self, sources: FlowSources, ping_interval: float = PING_INTERVAL) -> None:
        self._sources = sources
        self._ping_interval = ping_interval
        self._next_ping = math.inf
        self._periodic: int | None = None
        self._addresses_due = math.inf
        # Nonce to the time when it was sent; dictionaries keep the order, so the first entry is the oldest.
        self._outstanding: dict[int, float] = {}

    @property
    def deadline(self) -> float:
        """When `on_time` wants to be called."""
        return min(self._next_ping, self._addresses_due, self._pong_due)

    @property
    def _pong_due(self) -> float:
        for sent in self._outstanding.values():
            return sent + ANSWER_TIMEOUT
        return math.inf

    def start(self, now: float) -> Iterator[Event]:
        """Ask for addresses, and let the time to the first Ping run."""
        self._addresses_due = now + ANSWER_TIMEOUT
        self._next_ping = now + self._ping_interval
        yield Send(messages.request_addresses())

    def ping(self, nonce: int, now: float) -> Iterator[Event]:
        """Send a Ping now, beside the periodic ones and however many are unanswered; ValueError on a nonce in use."""
        if nonce in self._outstanding:
            raise ValueError(f"a ping with nonce {nonce} is unanswered")
        self._outstanding[nonce] = now
        yield Send(messages.ping(nonce))

    def receive(self, message: Incoming, now: float) -> Iterator[Event]:
        """Take one message of the peer."""
        if isinstance(message, Unread):
            if message.kind == "Addresses":
                raise _unrequested()
            yield Ignored(message.kind, message.size)
            return
        match messages.kind(message):
            case "Ping":
                nonce = message.ping.nonce
                yield PingReceived(nonce)
                yield Send(messages.pong(nonce, message.request_id))
            case "Pong":
                yield from self._on_pong(message.pong.nonce, now)
            case "RequestAddresses":
                known = AddressesMessage(addressList=[to_wire(address) for address in self._sources.addresses()])
                yield Send(KaspadMessage(addresses=known, response_id=message.request_id))
            case "Addresses":
                yield from self._on_addresses(message.addresses)
            case kind:
                yield Ignored(kind, message.ByteSize())

    def on_time(self, now: float) -> Iterator[Event]:
        """Send what is due; raises ProtocolError when the peer has had its time."""
        if now >= self._addresses_due:
            raise ProtocolError(f"timeout expired after {ANSWER_TIMEOUT:g}s waiting for Addresses")
        if now >= self._pong_due:
            raise ProtocolError(f"timeout expired after {ANSWER_TIMEOUT:g}s waiting for Pong")
        if now >= self._next_ping:
            self._next_ping = math.inf
            self._periodic = self._sources.nonce()
            yield from self.ping(self._periodic, now)

    def _on_pong(self, nonce: int, now: float) -> Iterator[Event]:
        sent = self._outstanding.pop(nonce, None)
        if sent is None:
            # kaspad finds a Pong that nobody asked for only at its next Ping; the outcome is the same.
            raise ProtocolError("nonce mismatch between ping and pong")
        if nonce == self._periodic:
            self._periodic = None
            self._next_ping = now + self._ping_interval
        yield PingAnswered(nonce, now - sent)

    def _on_addresses(self, message: AddressesMessage) -> Iterator[Event]:
        if self._addresses_due == math.inf:
            raise _unrequested()
        self._addresses_due = math.inf
        yield AddressesReceived(addresses_from_wire(message))


def _unrequested() -> ProtocolError:
    return ProtocolError("got Addresses that were not requested", tell_peer=False)
