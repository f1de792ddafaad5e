"""The public segment while the lab is up: a spare host joins and leaves, and a host moves to another address.

For rehearsing the replacement of a relay, or a new address of its VPS. The other hosts stay as they are. If the hub's
ports change, the hub restarts, and frames in transit are lost.
"""

from __future__ import annotations

import contextlib
import shutil
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path

from lab import booted, cgroups, hosts, inotify, nat, network, packages, ssh
from lab.errors import LabError
from lab.namespaces import NamedNamespaces
from lab.paths import Paths
from lab.state import State
from lab.topology import GATEWAY, PACKAGES, PUBLIC_NETWORK, ROUTERS, SPARE


def add_spare(paths: Paths) -> bool:
    """Boot the spare host; False if it is up. Raises LabError, and then removes everything of it."""
    state = booted.running(paths)
    if SPARE.name in state.addresses:
        return False
    if SPARE.address in state.addresses.values():
        raise LabError(f"{SPARE.address} is used by a host that moved; move that host elsewhere first")
    inotify.require(1)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(_remove_spare, paths, state)
        state.addresses[SPARE.name] = SPARE.address
        state.write(paths)
        NamedNamespaces().create([SPARE.name])
        network.attach(NamedNamespaces(), SPARE)
        booted.start_hub(paths, state)
        hosts.prepare(paths, packages.package_hosts(), [SPARE])
        _tell(paths, state)
        hosts.start(paths, SPARE, Path(state.base))
        hosts.wait_until_up(paths, [SPARE])
        cleanup.pop_all()
    return True


def remove_spare(paths: Paths) -> bool:
    """Stop the spare host and remove its files; False if it is not up. Raises LabError."""
    state = booted.running(paths)
    if SPARE.name not in state.addresses:
        return False
    _remove_spare(paths, state)
    return True


def _remove_spare(paths: Paths, state: State) -> None:
    ssh.close_shared()
    cgroups.kill(SPARE.name)
    NamedNamespaces().delete([SPARE.name])
    hosts.remove_nspawn_state(SPARE.name)
    shutil.rmtree(paths.hosts / SPARE.name, ignore_errors=True)
    del state.addresses[SPARE.name]
    state.write(paths)
    booted.start_hub(paths, state)
    _tell(paths, state)


def move(paths: Paths, name: str, address: str) -> str:
    """Change the address of a running public host, as a VPS that moves; returns the old address.

    Existing connections get no more answers, as with a real move. Raises LabError, ValueError for an impossible
    address.
    """
    state = booted.running(paths)
    host = state.host(name)
    if not host.public:
        raise ValueError(f"{name} is behind a NAT; only public hosts move: {', '.join(_public(state))}")
    new = free_address(state, name, address)
    before, state.addresses[name] = host.address, new
    state.write(paths)
    ssh.close_shared()
    network.readdress(NamedNamespaces(), state.host(name))
    _tell(paths, state)
    return before


def free_address(state: State, name: str, address: str) -> str:
    """The address, if the host of that name can have it; otherwise ValueError."""
    try:
        wanted = IPv4Address(address)
    except AddressValueError as error:
        raise ValueError(f"{address!r} is not an IPv4 address") from error
    segment = IPv4Network(PUBLIC_NETWORK)
    if wanted not in segment or wanted in (segment.network_address, segment.broadcast_address):
        raise ValueError(f"{wanted} is not an address of the public segment, {PUBLIC_NETWORK}")
    owners = {GATEWAY: "the gateway", PACKAGES: "the package forwarder"}
    owners |= {router.public: router.name for router in ROUTERS}
    owners |= {each.address: each.name for each in state.hosts if each.name != name}
    if str(wanted) in owners:
        raise ValueError(f"{wanted} is taken by {owners[str(wanted)]}")
    return str(wanted)


def _public(state: State) -> list[str]:
    return [each.name for each in state.hosts if each.public]


def _tell(paths: Paths, state: State) -> None:
    """Record the hosts' keys under their present addresses, and make the routers count their traffic."""
    hosts.write_known_hosts(paths, state.hosts)
    for router in ROUTERS:
        nat.count_relays(NamedNamespaces(), router, state.relays)
