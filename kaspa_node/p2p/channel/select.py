"""Streams and the protocols above them: agreeing on one, and reading its delimited messages."""

from __future__ import annotations

from collections.abc import Sequence

from kaspa_node.p2p.channel.negotiate import Answerer, Proposer
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import ProtocolError, StreamReset
from kaspa_node.p2p.wire import MAX_VARINT_BYTES


async def propose(stream: Stream, protocols: Sequence[str]) -> None:
    """Offer `protocols` in order and wait for the remote's choice. Raises NegotiationError, StreamReset."""
    proposer = Proposer(protocols)
    await stream.write(proposer.opening())
    await _agree(stream, proposer)


async def answer(stream: Stream, answerer: Answerer) -> None:
    """Wait until the remote proposes what `answerer` speaks. Raises ProtocolError, StreamReset."""
    await _agree(stream, answerer)


async def _agree(stream: Stream, side: Proposer | Answerer) -> None:
    while side.agreed is None:
        data = await stream.read()
        if not data:
            raise StreamReset("the stream ended during the negotiation")
        reply = side.receive(data)
        if reply:
            await stream.write(reply)
    stream.unread(side.rest())
    stream.protocol = side.agreed


async def read_message(stream: Stream, limit: int) -> bytes:
    """One delimited message of at most `limit` bytes, and not a byte more. Raises ProtocolError, StreamReset."""
    length = shift = 0
    for _ in range(MAX_VARINT_BYTES):
        byte = (await stream.read_exactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    else:
        raise ProtocolError("a message length has more than nine bytes")
    if length > limit:
        raise ProtocolError(f"a message of {length} bytes where at most {limit} are allowed")
    return await stream.read_exactly(length)
