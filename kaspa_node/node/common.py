"""What a relay and a peer have in common: they open the host, log who they are, and stop in order."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio
from multiaddr import Multiaddr

from kaspa_node import __version__, milestones
from kaspa_node.errors import ListenError
from kaspa_node.identity import Identity
from kaspa_node.journal import Journal
from kaspa_node.p2p import errors as p2p_errors
from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.host import Host
from kaspa_node.service_manager import ServiceManager
from kaspa_node.settings import Settings
from kaspa_node.settings.values import TcpAddress
from kaspa_node.shutdown import shutdown_on_signal

AGENT = f"kaspa-node/{__version__}"
IDENTIFY_VERSION = f"/kaspad/libp2p/{__version__}"
STOP_SECONDS = 4.0
NO_LONGER_ALLOWED = "no longer on the allow list"


def open_host(settings: Settings, identity: Identity, journal: Journal) -> Host:
    """A host that listens at the configured addresses. Raises ListenError."""
    host = Host(identity.key_pair, identity.peer_id, journal, agent=AGENT, version=IDENTIFY_VERSION)
    try:
        host.listener.bind(SocketAddress(address.host, address.port) for address in settings.listen)
    except p2p_errors.ListenError as error:
        remedy = f"{error.remedy or 'choose another address'} in `listen`"
        raise ListenError(str(error.address), error.problem, remedy) from error
    return host


def announced(settings: Settings) -> list[bytes]:
    """The binary multiaddrs to announce. A name stays a name, so nothing waits for a resolver."""
    return [Multiaddr(address.addr).to_bytes() for address in settings.announce]


async def dialable(settings: Settings) -> list[SocketAddress]:
    """The announced addresses for a hole punch; of a name, all its addresses. Raises ListenError."""
    found = [await _resolved(address) for address in settings.announce]
    return list(dict.fromkeys(address for addresses in found for address in addresses))


async def _resolved(address: TcpAddress) -> list[SocketAddress]:
    try:
        return await tcp.resolve(address.host, address.port, address.family)
    except p2p_errors.DialError as error:
        raise ListenError(f"{address.host}:{address.port}", error.problem, "correct `announce`") from error


def announce_start(host: Host, kind: str, journal: Journal) -> None:
    """Log who this is and where it listens, in the sentences of the first proof of concept."""
    journal.record(milestones.NODE_STARTED, kind=kind, peer=host.peer_id, version=__version__)
    for address in host.listener.addresses:
        journal.record(milestones.NODE_LISTENING, addr=address.multiaddr())


async def run_until_stopped(
    journal: Journal, work: Callable[[trio.Nursery], Awaitable[None]], stop: Callable[[], Awaitable[None]]
) -> None:
    """Start `work` in a nursery; on SIGTERM or SIGINT call `stop`, for a few seconds at most, and end everything."""
    manager = ServiceManager(os.environ, journal)
    async with shutdown_on_signal() as shutdown, trio.open_nursery() as nursery:
        nursery.start_soon(manager.feed)
        await work(nursery)
        manager.ready()
        await shutdown.requested.wait()
        manager.stopping()
        begun = trio.current_time()
        journal.record(milestones.NODE_STOPPING, reason=shutdown.reason)
        with trio.move_on_after(STOP_SECONDS):
            await stop()
        nursery.cancel_scope.cancel()
    journal.record(milestones.NODE_STOPPED, seconds=round(trio.current_time() - begun, 2))


def unix_time(monotonic: float) -> float:
    """The unix time of an instant on trio's clock, by the present difference of the two clocks."""
    return round(time.time() - (trio.current_time() - monotonic), 3)


def usage() -> dict[str, int]:
    """What this process uses now: trio's tasks and open descriptors. Both follow the number of connections."""
    # The directory itself is open while it is read.
    return {"tasks": trio.lowlevel.current_statistics().tasks_living, "descriptors": len(os.listdir("/dev/fd")) - 1}


Answer = Mapping[str, Any]
