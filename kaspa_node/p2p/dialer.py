"""Direct connections that a host dials, from its listening port or another one."""

from __future__ import annotations

import socket
from collections.abc import Callable

import trio

from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, OUTGOING, Connection, Route
from kaspa_node.p2p.channel.pipe import SocketPipe
from kaspa_node.p2p.channel.upgrade import Upgrade
from kaspa_node.p2p.errors import ConnectionLost, DialError, WrongPeer
from kaspa_node.p2p.expectations import Expectations
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
        expectations: Expectations,
    ) -> None:
        self._upgrader = upgrader
        self._listen_address = listen_address
        self._seconds = seconds
        self._adopt = adopt
        self._expectations = expectations

    async def dial(self, address: SocketAddress, peer: str, *, port: int | None = None) -> Connection:
        """A direct connection to `peer` at `address`, from the listening port, or from `port`; 0 is any free one.

        Raises P2PError.
        """
        try:
            with trio.fail_after(self._seconds):
                sock = await tcp.connect(address, self.local_for(address, port))
        except trio.TooSlowError as error:
            raise DialError(f"no answer within {self._seconds:.0f} s", address) from error
        pipe, local, remote = _opened(sock)
        upgrade, round_trip = await self._upgrader.upgrade(pipe, initiator=True, expected=peer)
        return self._run(pipe, upgrade, Route(DIRECT, OUTGOING, str(local), str(remote)), round_trip)

    async def meet(self, sock: socket.socket, peer: str, *, opens: bool, seconds: float) -> Connection:
        """Upgrade the socket of a simultaneous open, which `peer` has dialed as well. Raises P2PError.

        opens: this side opens the handshake. seconds: for the handshake.
        The handshake fills TCP segments in both directions: a path that drops full-size packets does not pass it.
        """
        pipe, local, remote = _opened(sock)
        # Another peer may be expected at the same address, and may be the one that answers.
        alone = self._expectations.peers_at(remote) <= {peer}
        upgrade, round_trip = await self._upgrader.upgrade(
            pipe,
            initiator=opens,
            expected=peer if alone else None,
            filler=tcp.full_segment(sock),
            seconds=seconds,
        )
        if upgrade.remote not in self._expectations.peers_at(remote) | {peer}:
            pipe.abort()
            raise WrongPeer(peer, upgrade.remote)
        direction = OUTGOING if opens else INCOMING
        return self._run(pipe, upgrade, Route(DIRECT, direction, str(local), str(remote)), round_trip)

    def _run(self, pipe: SocketPipe, upgrade: Upgrade, route: Route, round_trip: float) -> Connection:
        connection = Connection(pipe, upgrade, route, round_trip=round_trip)
        self._adopt(connection)
        return connection

    def local_for(self, remote: SocketAddress, port: int | None = None) -> SocketAddress | None:
        """The address to dial `remote` from: the listening one, with another port if one is named."""
        listening = self._listen_address(remote)
        if port is None:
            return listening
        return SocketAddress(listening.ip if listening else "::" if remote.is_ipv6 else "0.0.0.0", port)


def _opened(sock: socket.socket) -> tuple[SocketPipe, SocketAddress, SocketAddress]:
    """The pipe of a connected socket, and its local and remote address. Raises ConnectionLost."""
    pipe = SocketPipe(sock)
    try:
        return pipe, *tcp.names(sock)
    except ConnectionLost:
        pipe.abort()
        raise
