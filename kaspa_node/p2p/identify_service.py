"""The host's side of identify: reports to remotes what we are, and remembers what they report."""

from __future__ import annotations

from collections.abc import Callable, Container

import trio
from libp2p.crypto.keys import PublicKey

from kaspa_node.p2p import addresses, identify
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel import select
from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.errors import P2PError
from kaspa_node.p2p.identify import PeerInfo
from kaspa_node.p2p.wire import delimited


class IdentifyService:
    """What this host reports, and what others have reported.

    peer_id, agent, version: of this program. known: by peer id. pushed: called with what peers report unasked.
    connected: whose entries are not forgotten while others can be. most: entries to keep.
    """

    def __init__(
        self, key: PublicKey, peer_id: str, *, agent: str, version: str, connected: Container[str], most: int
    ) -> None:
        self.known: dict[str, PeerInfo] = {}
        self.pushed: list[Callable[[str, PeerInfo], None]] = []
        self._peer_id = peer_id
        self._key = key
        self._agent = agent
        self._version = version
        self._connected = connected
        self._most = most

    async def tell(self, stream: Stream, protocols: list[str], listen: list[bytes]) -> None:
        """Answer one request: the protocols of this host, and its binary multiaddrs. Raises P2PError."""
        await stream.write(delimited(self._about_us(stream.connection, protocols, listen)))
        stream.dismiss()

    async def hear(self, stream: Stream) -> None:
        """Receive what a remote reports unasked (push). Raises P2PError."""
        info = await self._read(stream)
        self._learn(stream.remote, info)
        stream.dismiss()
        for observer in self.pushed:
            observer(stream.remote, info)

    async def ask(self, connection: Connection, seconds: float) -> None:
        """Ask the remote what it is; what it does not answer in time stays unknown."""
        stream: Stream | None = None
        try:
            stream = connection.open_stream()
            stream.propose(identify.PROTOCOL)
            with trio.fail_after(seconds):
                info = await self._read(stream)
            self._learn(connection.remote, info)
            connection.observed = info.observed
            stream.dismiss()
        except (P2PError, trio.TooSlowError):
            if stream is not None:
                stream.reset()
        finally:
            connection.identified.set()

    async def _read(self, stream: Stream) -> PeerInfo:
        raw = await select.read_message(stream, identify.MAX_BYTES)
        return identify.decode(raw, remote=stream.remote, us=self._peer_id)

    def _about_us(self, connection: Connection, protocols: list[str], listen: list[bytes]) -> bytes:
        route = connection.route
        seen = SocketAddress.parse(route.remote)
        # As go-libp2p does. rust-libp2p reads a field that is left out as an empty multiaddr, and keeps it.
        observed = seen.encode() if route.relay is None else addresses.encode_circuit(seen, route.relay)
        return identify.encode(
            key=self._key,
            agent=self._agent,
            version=self._version,
            protocols=protocols,
            listen=listen,
            observed=observed,
        )

    def _learn(self, peer: str, info: PeerInfo) -> None:
        self.known.pop(peer, None)
        self.known[peer] = info
        if len(self.known) > self._most:
            # Anybody can come with a new identity each time: the longest known that is not connected is forgotten.
            del self.known[next((p for p in self.known if p not in self._connected), peer)]
