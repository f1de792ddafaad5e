"""The listening sockets of a host: accepts connections, and secures them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import trio

from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.admission import Limits, Places
from kaspa_node.p2p.callers import Callers
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, OUTGOING, Connection, Route
from kaspa_node.p2p.channel.pipe import SocketPipe
from kaspa_node.p2p.channel.upgrade import Upgrade
from kaspa_node.p2p.errors import HandshakeTimeout, P2PError, WrongPeer
from kaspa_node.p2p.expectations import Expectations, in_handshake
from kaspa_node.p2p.upgrader import Upgrader
from kaspa_node.reasons import DISPLACED, NO_PLACE

# A dialer speaks as soon as it is connected, right behind its ACK. The remote of a simultaneous open may not.
FIRST_WORD_SECONDS = 0.15

# How long callers wait in the kernel's queue, if the last one had to be refused.
GATHER_SECONDS = 0.01


class Listener:
    """addresses: where it listens. callers: decides which connections are accepted.

    fills_segments: whether handshakes here fill a TCP segment, as those of hole punches do.
    failed: called with the remote's address and the error, or a code of `reasons`, for each connection that came to
    nothing.
    """

    def __init__(
        self,
        upgrader: Upgrader,
        limits: Limits,
        callers: Callers,
        adopt: Callable[[Connection], None],
        expectations: Expectations,
    ) -> None:
        self.addresses: list[SocketAddress] = []
        self.fills_segments = False
        self.failed: list[Callable[[SocketAddress, P2PError | str], None]] = []
        self._upgrader = upgrader
        self._callers = callers
        self._adopt = adopt
        self._sockets: list[socket.socket] = []
        self._handshakes: Places[trio.CancelScope] = Places(limits.handshakes, limits.handshakes_each)
        self._expectations = expectations
        self._small = 0

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

    @contextmanager
    def small_segments(self) -> Iterator[None]:
        """Inside the block, connections that come in get small TCP segments, both ways."""
        self._small += 1
        self._size_segments()
        try:
            yield
        finally:
            self._small -= 1
            self._size_segments()

    def _size_segments(self) -> None:
        for sock in self._sockets:
            if sock.fileno() >= 0:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, tcp.SMALL_SEGMENT if self._small else 0)

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
                sock, name = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue
            except OSError:
                # Out of descriptors: the pause lets other connections end instead of spinning on the error.
                await trio.sleep(0.1)
                continue
            if not self._admit(sock, name, nursery):
                # A flood: a wake-up for each call would cost more than the calls, so some are let gather.
                await trio.sleep(GATHER_SECONDS)
                self._admit_waiting(listener, nursery)

    def _admit_waiting(self, listener: socket.socket, nursery: trio.Nursery) -> None:
        for _ in range(tcp.BACKLOG):
            try:
                sock, name = listener.accept()
            except OSError:
                return
            self._admit(sock, name, nursery)

    def _admit(self, sock: socket.socket, name: tuple[Any, ...], nursery: trio.Nursery) -> bool:
        """Take a new connection in, or close it."""
        caller = SocketAddress(name[0], name[1])
        admitted = bool(self._expectations.at(caller)) or self._callers.may_call(caller)
        if admitted:
            sock.setblocking(False)
            nursery.start_soon(self._accept, sock, caller)
        else:
            tcp.refuse(sock)
            if self._callers.full:
                self._tell(caller, NO_PLACE)
        return admitted

    async def _accept(self, sock: socket.socket, remote: SocketAddress) -> None:
        pipe = SocketPipe(sock)
        with trio.CancelScope() as handshake:
            try:
                if (displaced := self._handshakes.take(handshake, remote.ip)) is not None:
                    displaced.cancel()
                local, _ = tcp.names(sock)
                upgrade, direction = await self._upgrade(pipe, sock, remote)
                await self._pay(pipe, upgrade.remote)
                self._adopt(Connection(pipe, upgrade, Route(DIRECT, direction, str(local), str(remote))))
            except P2PError as error:
                pipe.abort()
                self._tell(remote, error)
            finally:
                self._handshakes.leave(handshake)
        if handshake.cancelled_caught:
            self._tell(remote, DISPLACED)

    async def _pay(self, pipe: SocketPipe, peer: str) -> None:
        paid = False
        try:
            await self._callers.pay_connection(peer)
            paid = True
        finally:
            if not paid:
                pipe.abort()

    async def _upgrade(self, pipe: SocketPipe, sock: socket.socket, remote: SocketAddress) -> tuple[Upgrade, str]:
        """The upgrade, and the direction of the connection.

        The remote of a simultaneous open may meet this listener instead of our own dial. The roles stay as agreed, so
        this side opens the handshake. If the remote opens it, it is another peer, which dials in the ordinary way.
        """
        expected = self._expectations.at(remote)
        with in_handshake(expected):
            try:
                opens = any(each.opens for each in expected) and not await _speaks(sock)
                peers = self._expectations.peers_at(remote)
                upgrade, _ = await self._upgrader.upgrade(
                    pipe,
                    initiator=opens,
                    expected=next(iter(peers)) if opens and len(peers) == 1 else None,
                    filler=tcp.full_segment(sock) if self.fills_segments else 0,
                    seconds=max((each.seconds for each in expected), default=None),
                    before=None if expected else partial(self._callers.pay_handshake, remote.ip),
                )
                if opens and upgrade.remote not in self._expectations.peers_at(remote) | peers:
                    raise WrongPeer(" or ".join(sorted(peers)), upgrade.remote)
            except P2PError as error:
                pipe.abort()
                for each in expected:
                    each.failed(error.problem, silent=isinstance(error, HandshakeTimeout))
                raise
        return upgrade, OUTGOING if opens else INCOMING

    def _tell(self, remote: SocketAddress, why: P2PError | str) -> None:
        for observer in self.failed:
            observer(remote, why)


async def _speaks(sock: socket.socket) -> bool:
    with trio.move_on_after(FIRST_WORD_SECONDS) as waiting:
        await trio.lowlevel.wait_readable(sock.fileno())
    return not waiting.cancelled_caught
