"""Turns a pipe of bytes into a secure, multiplexed channel, within a time limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from kaspa_node.p2p.channel.noise import NoiseKeys
from kaspa_node.p2p.channel.pipe import Pipe
from kaspa_node.p2p.channel.upgrade import Upgrade
from kaspa_node.p2p.errors import ConnectionLost, HandshakeTimeout, NothingSaid


class Upgrader:
    """keys: of this host. seconds: for one upgrade."""

    def __init__(self, keys: NoiseKeys, seconds: float) -> None:
        self._keys = keys
        self._seconds = seconds

    async def upgrade(
        self,
        pipe: Pipe,
        *,
        initiator: bool,
        expected: str | None,
        filler: int = 0,
        seconds: float | None = None,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> tuple[Upgrade, float]:
        """Secure and multiplex `pipe`; returns the finished upgrade and the first round trip in seconds.

        expected: the remote's peer id, or None for anybody. filler: as in NoiseHandshake.
        seconds: the time limit, if it is not the host's.
        before: awaited once the remote has said something, before any work is done for it.
        Raises P2PError, HandshakeTimeout among them; the pipe is aborted then.
        """
        upgrade = Upgrade(self._keys, initiator=initiator, expected=expected, filler=filler)
        limit = self._seconds if seconds is None else seconds
        start, round_trip = trio.current_time(), 0.0
        finished = heard = False
        try:
            with trio.fail_after(limit):
                await _send_all(pipe, upgrade.opening())
                while not upgrade.done:
                    data = await pipe.receive()
                    round_trip = round_trip or trio.current_time() - start
                    if not data and not heard:
                        raise NothingSaid("the remote hung up before it sent anything")
                    if not data:
                        raise ConnectionLost("the remote hung up during the handshake")
                    if before is not None and not heard:
                        await before()
                    heard = True
                    await _send_all(pipe, upgrade.receive(data))
            finished = True
        except trio.TooSlowError as error:
            raise HandshakeTimeout(f"no secure channel within {limit:.0f} s") from error
        finally:
            if not finished:
                pipe.abort()
        return upgrade, round_trip


async def _send_all(pipe: Pipe, data: bytes) -> None:
    view = memoryview(data)
    while view:
        taken = pipe.try_send(view)
        view = view[taken:]
        if view:
            await pipe.wait_writable()
