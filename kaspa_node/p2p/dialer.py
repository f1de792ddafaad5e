"""Direct connections that a host dials, from its listening port or another one."""

from __future__ import annotations

import socket
from collections.abc import Callable

import trio

from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, OUTGOING, Connection, Route
from kaspa_node.p2p.channel.pipe import SocketPipe
from kaspa_node.p2p.errors import DialError
from kaspa_node.p2p.upgrader import Upgrader

ListenAddress = Callable[[SocketAddress], SocketAddress | None]


class Dialer:
    """listen_address: where this host listens, for a remote's family. seconds: for TCP to connect."""

    def __init__(
        self,
        upgrader: Upgrader,
        listen_address: ListenAddress,
        seconds: float,
        adopt: Callable[[Connection], None],
    ) -> None:
        self._upgrader = upgrader
        self._listen_address = listen_address
        self._seconds = seconds
        self._adopt = adopt

    async def dial(self, address: SocketAddress, peer: str, *, port: int | None = None) -> Connection:
        """A direct connection to `peer` at `address`, from the listening port, or from `port`; 0 is any free one.

        Raises P2PError.
        """
        try:
            with trio.fail_after(self._seconds):
                sock = await tcp.connect(address, self.local_for(address, port))
        except trio.TooSlowError as error:
            raise DialError(f"no answer within {self._seconds:.0f} s", address) from error
        return await self.secure(sock, peer, initiator=True, direction=OUTGOING)

    async def secure(self, sock: socket.socket, peer: str, *, initiator: bool, direction: str) -> Connection:
        """Upgrade a connected socket to `peer`; the host runs the connection from now on. Raises P2PError."""
        pipe = SocketPipe(sock)
        try:
            local, remote = tcp.names(sock)
        except DialError:
            pipe.abort()
            raise
        upgrade, round_trip = await self._upgrader.upgrade(pipe, initiator=initiator, expected=peer)
        route = Route(DIRECT, direction, str(local), str(remote))
        connection = Connection(pipe, upgrade, route, round_trip=round_trip)
        self._adopt(connection)
        return connection

    def local_for(self, remote: SocketAddress, port: int | None = None) -> SocketAddress | None:
        """The address to dial `remote` from: the listening one, with another port if one is named."""
        listening = self._listen_address(remote)
        if port is None:
            return listening
        return SocketAddress(listening.ip if listening else "::" if remote.is_ipv6 else "0.0.0.0", port)
