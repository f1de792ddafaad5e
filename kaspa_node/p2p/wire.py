"""Length-delimited messages, as multistream-select, circuit relay, DCUtR and identify use them.

A message is its length as an unsigned varint (multiformats: at most nine bytes), then its bytes.
"""

from __future__ import annotations

from kaspa_node.p2p.errors import ProtocolError

MAX_VARINT_BYTES = 9


def uvarint(value: int) -> bytes:
    """The unsigned varint of `value`."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(message: bytes) -> bytes:
    """`message` with its length before it."""
    return uvarint(len(message)) + message


class DelimitedBuffer:
    """Takes bytes as they come and gives whole messages.

    limit: the longest message in bytes; a longer one raises ProtocolError as soon as its length is known.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._data += data

    def next(self) -> bytes | None:
        """The next whole message, or None until more bytes are there."""
        length = shift = 0
        for index, byte in enumerate(self._data):
            if index >= MAX_VARINT_BYTES:
                raise ProtocolError("a message length has more than nine bytes")
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        else:
            return None
        if length > self._limit:
            raise ProtocolError(f"a message of {length} bytes where at most {self._limit} are allowed")
        start = index + 1
        if len(self._data) - start < length:
            return None
        message = bytes(self._data[start : start + length])
        del self._data[: start + length]
        return message

    def rest(self) -> bytes:
        """Take out the bytes behind the messages that were given."""
        rest = bytes(self._data)
        self._data.clear()
        return rest
