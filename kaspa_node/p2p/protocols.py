"""The protocols of a host: those that it serves, and how it agrees on one for a stream that it opens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import trio

from kaspa_node.p2p.channel import select
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.negotiate import Answerer
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import P2PError, StreamReset
from kaspa_node.p2p.identify import PeerInfo

Handler = Callable[[Stream], Awaitable[None]]
Guard = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Served:
    handler: Handler
    permits: Guard
    price: float


class Protocols:
    """known: what peers have said of themselves, by peer id. negotiate_seconds: for the protocol of one stream."""

    def __init__(self, known: Mapping[str, PeerInfo], negotiate_seconds: float) -> None:
        self._known = known
        self._seconds = negotiate_seconds
        self._served: dict[str, _Served] = {}

    def names(self) -> list[str]:
        """The protocols that are served."""
        return sorted(self._served)

    def serve(self, protocol: str, handler: Handler, permits: Guard = lambda peer: True, *, price: float = 0.0) -> None:
        """Answer streams of `protocol` from peers that `permits` (a peer id) allows; others get `na`.

        price: of one request, in seconds of work, beside that of the stream; the remote pays it before it is served.
        """
        self._served[protocol] = _Served(handler, permits, price)

    async def answer(self, stream: Stream) -> None:
        """Agree on a protocol for a stream that the remote opened, and hand it to the protocol's handler."""
        answerer = Answerer(lambda name: name in self._served and self._served[name].permits(stream.remote))
        try:
            with trio.fail_after(self._seconds):
                await select.answer(stream, answerer)
            served = self._served[stream.protocol]
            await stream.connection.pay(served.price)
            await served.handler(stream)
        except (P2PError, trio.TooSlowError):
            stream.reset()

    async def open(self, connection: Connection, protocols: Sequence[str]) -> Stream:
        """A stream that speaks one of `protocols`, by preference. Raises NegotiationError, StreamReset, ConnectionLost.

        If the remote's protocols are known, or there is only one to choose from, no round trip is spent on asking.
        """
        stream = connection.open_stream()
        known = self._known.get(connection.remote)
        fitting = [p for p in protocols if known is not None and p in known.protocols] or list(protocols)
        if len(protocols) == 1 or (known is not None and fitting[0] in known.protocols):
            stream.propose(fitting[0])
        else:
            await self._agree(stream, protocols)
        return stream

    async def _agree(self, stream: Stream, protocols: Sequence[str]) -> None:
        agreed = False
        try:
            with trio.fail_after(self._seconds):
                await select.propose(stream, protocols)
            agreed = True
        except trio.TooSlowError as error:
            raise StreamReset(f"no answer to the proposal of {protocols[0]} in {self._seconds:.0f} s") from error
        finally:
            if not agreed:
                stream.reset()
