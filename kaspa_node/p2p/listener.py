"""The listening sockets of a host: accepts connections, and secures them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

import trio

from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits, Places
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, OUTGOING, Connection, Route
from kaspa_node.p2p.channel.pipe import SocketPipe
from kaspa_node.p2p.errors import P2PError
from kaspa_node.p2p.upgrader import Upgrader


class Listener:
    """addresses: where it listens. full: whether no more connections are taken in now."""

    def __init__(
        self,
        upgrader: Upgrader,
        limits: Limits,
        full: Callable[[], bool],
        adopt: Callable[[Connection], None],
    ) -> None:
        self.addresses: list[SocketAddress] = []
        self._upgrader = upgrader
        self._full = full
        self._adopt = adopt
        self._sockets: list[socket.socket] = []
        self._handshakes: Places[trio.CancelScope] = Places(limits.handshakes, limits.handshakes_each)
        self._simultaneous: dict[SocketAddress, str] = {}

    def bind(self, listen: Iterable[SocketAddress]) -> None:
        """Open the listening sockets. Raises ListenError."""
        for address in listen:
            sock = tcp.listen(address)
            self._sockets.append(sock)
            name = sock.getsockname()
            self.addresses.append(SocketAddress(name[0], name[1]))

    def address_for(self, remote: SocketAddress) -> SocketAddress | None:
        """The listening address of the same family as `remote`, or None."""
        return next((address for address in self.addresses if address.is_ipv6 == remote.is_ipv6), None)

    def expect_simultaneous(self, address: SocketAddress, peer: str) -> Callable[[], None]:
        """Until the returned function is called, who connects from `address` is `peer`, and is met as by a dialer."""
        self._simultaneous[address] = peer

        def over() -> None:
            self._simultaneous.pop(address, None)

        return over

    async def run(self) -> None:
        """Accept until cancelled; then the sockets are closed."""
        try:
            async with trio.open_nursery() as nursery:
                for sock in self._sockets:
                    nursery.start_soon(self._accept_loop, sock, nursery)
                await trio.sleep_forever()
        finally:
            for sock in self._sockets:
                sock.close()

    async def _accept_loop(self, listener: socket.socket, nursery: trio.Nursery) -> None:
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
            if self._full():
                sock.close()
            else:
                nursery.start_soon(self._accept, sock)

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
                upgrade, _ = await self._upgrader.upgrade(pipe, initiator=expected is not None, expected=expected)
                direction = INCOMING if expected is None else OUTGOING
                self._adopt(Connection(pipe, upgrade, Route(DIRECT, direction, str(local), str(remote))))
            except P2PError:
                pipe.abort()
            finally:
                self._handshakes.leave(handshake)
