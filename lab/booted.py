"""The booted lab: brings it up, checks it, takes it down."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lab import background, base, cgroups, hosts, inotify, nat, network, packages, precheck, ssh
from lab.aptsources import Distribution
from lab.errors import LabError
from lab.namespaces import NamedNamespaces
from lab.paths import CONTROL, OWNER, RUN, Paths
from lab.state import DEFAULT_RTT_MS, State
from lab.topology import HOSTS, HUB, PACKAGES, PREFIX, PUBLIC, ROUTERS, Router
from lab.waiting import until

REBOOT_SECONDS = 15.0
"""How long `up` waits for a host that may be rebooting, before it rebuilds the lab."""


@contextlib.contextmanager
def stage(what: str) -> Iterator[None]:
    """Print what is being done, and how long it took."""
    started = time.monotonic()
    yield
    print(f"{what} ({time.monotonic() - started:.1f} s)", flush=True)


def up(
    paths: Paths, *, rtt_ms: float = DEFAULT_RTT_MS, jitter_ms: float = 0.0, fresh: bool = False, suite: str = ""
) -> None:
    """Bring the lab up. If it is up and complete, change only the delay; `fresh` rebuilds it in any case.

    suite: the hosts' release; a lab of another one is rebuilt. Empty: that of a lab which is up, or the machine's own.
    Raises LabError.
    """
    owner = owner_of_running_lab()
    if owner not in (None, paths.checkout):
        raise LabError(f"the lab of {owner} is up on this machine; take it down first: python3 -m lab down")
    state = State.read(paths)
    if owner and state and not fresh:
        other = suite and suite != state.suite
        ill = [f"not with {suite}"] if other else problems(paths, state, patience=REBOOT_SECONDS)
        if not ill:
            if (state.rtt_ms, state.jitter_ms) != (rtt_ms, jitter_ms):
                delay(paths, state, rtt_ms, jitter_ms)
            print(f"the lab is up: {', '.join(f'{host.name} {host.address}' for host in state.hosts)}")
            return
        print(f"the lab is up, but {ill[0]}: rebuilding it", flush=True)
    precheck.require(precheck.booted(paths, before_up=False))
    down(paths, quiet=True)
    root = base.ensure(paths.bases, suite)
    base.prune(root)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(down, paths, quiet=True, keep_logs=True)
        _start(
            paths, State(str(root), rtt_ms, jitter_ms, started=time.time(), suite=suite or Distribution.read().codename)
        )
        cleanup.pop_all()


def _start(paths: Paths, state: State) -> None:
    names = NamedNamespaces()
    CONTROL.mkdir(parents=True, exist_ok=True, mode=0o700)
    OWNER.write_text(json.dumps({"checkout": str(paths.checkout)}) + "\n")
    state.write(paths)
    with stage("network: two NAT routers, public segment"):
        names.create()
        network.build(names)
        for router in ROUTERS:
            nat.apply(names, router, state.nat[router.name])
        start_hub(paths, state)
        package_hosts = packages.package_hosts()
        start_forwarder(paths, package_hosts)
    with stage("host keys and host files"):
        hosts.prepare(paths, package_hosts)
        hosts.write_known_hosts(paths, HOSTS)
    inotify.require(len(HOSTS))
    print("booting hosts", flush=True)
    for host in HOSTS:
        hosts.start(paths, host, Path(state.base))
    hosts.wait_until_up(paths)
    print(f"the lab is up; round trip between public addresses: {state.rtt_ms:g} ms", flush=True)


def start_hub(paths: Paths, state: State) -> None:
    """Restart the hub; frames cross the public segment from now on."""
    cgroups.kill("hub")
    undelayed = [f"--undelayed={port.port}" for port in state.ports if not port.delayed]
    timing = [f"--rtt-ms={state.rtt_ms:g}", f"--jitter-ms={state.jitter_ms:g}"]
    argv = background.module("lab.hub", *timing, *undelayed, *(port.port for port in state.ports))
    process = background.start_ready([*NamedNamespaces().enter(HUB), *argv], paths.logs / "hub.log")
    cgroups.join("hub", process.pid)


def start_forwarder(paths: Paths, package_hosts: dict[str, tuple[int, ...]]) -> None:
    ports = sorted({port for ports in package_hosts.values() for port in ports} | {80, 443})
    argv = background.module("lab.forwarder", f"--namespace={NamedNamespaces().path(PUBLIC)}", f"--address={PACKAGES}")
    argv += [f"--port={port}" for port in ports] + list(package_hosts)
    process = background.start_ready(argv, paths.logs / "forwarder.log")
    cgroups.join("forwarder", process.pid)


def delay(paths: Paths, state: State, rtt_ms: float, jitter_ms: float) -> None:
    """Change the delay of the public segment; frames in transit are lost."""
    state.rtt_ms, state.jitter_ms = rtt_ms, jitter_ms
    start_hub(paths, state)
    state.write(paths)
    print(f"round trip between public addresses: {rtt_ms:g} ms")


def set_nat(paths: Paths, router: Router, mode: str) -> None:
    """Change the NAT mode of a running router. Raises LabError if the lab is not up, ValueError for an unknown mode."""
    state = running(paths)
    nat.apply(NamedNamespaces(), router, mode, state.relays)
    state.nat[router.name] = mode
    state.write(paths)


def running(paths: Paths) -> State:
    """The state of this checkout's lab. Raises LabError if it is not up."""
    state = State.read(paths)
    if state is None or owner_of_running_lab() != paths.checkout:
        raise LabError("the lab is not up; bring it up first: python3 -m lab up")
    return state


def owner_of_running_lab() -> Path | None:
    """The checkout whose lab is up, or None."""
    try:
        return Path(json.loads(OWNER.read_text())["checkout"])
    except (OSError, ValueError, KeyError):
        return None


def problems(paths: Paths, state: State, *, patience: float = 0.0) -> list[str]:
    """The problems of a lab that should be up, each in a few words; a host has `patience` seconds to answer."""
    found = missing_parts(state)
    if found:
        return found

    def well() -> bool:
        nonlocal found
        found = ill_hosts(hosts.system_states(paths, state.hosts))
        return not found

    until(well, timeout=patience, pause=0.2)
    return found


def ill_hosts(states: dict[str, str]) -> list[str]:
    return [f"host {name} is {state}" for name, state in states.items() if state not in hosts.UP]


def missing_parts(state: State) -> list[str]:
    """The missing parts of a lab that should be up, each in a few words."""
    found = []
    if not NamedNamespaces().complete(state.namespaces):
        found.append("a network namespace is missing")
    found += [f"the {helper} has ended" for helper in ("hub", "forwarder") if not cgroups.populated(helper)]
    found += [f"host {host.name} has ended" for host in state.hosts if not cgroups.populated(host.name)]
    return found


def left_over() -> list[str]:
    """The existing parts of a lab on this machine, each in a few words."""
    found = [f"network namespace {name}" for name in NamedNamespaces().left()]
    found += [f"cgroup {tree / cgroups.ROOT}" for tree in cgroups.hierarchies() if (tree / cgroups.ROOT).is_dir()]
    found += [str(RUN)] if RUN.exists() else []
    if hosts.NSPAWN_STATE.is_dir():
        found += [str(entry) for entry in hosts.NSPAWN_STATE.glob(f"*/{PREFIX}*")]
    return found


def down(paths: Paths, *, quiet: bool = False, keep_logs: bool = False) -> None:
    """Remove all parts of a lab on this machine; needs no state file. Raises LabError for parts that remain."""
    existed = bool(left_over())
    ssh.close_shared()
    cgroups.kill()
    NamedNamespaces().end_processes()
    NamedNamespaces().delete()
    hosts.remove_nspawn_state()
    shutil.rmtree(RUN, ignore_errors=True)
    for name in ("hosts", "state.json", "fleet.json", "ssh/known_hosts") + (() if keep_logs else ("log",)):
        path = paths.state / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    rest = left_over()
    if rest:
        raise LabError(f"the lab is down, but for {', '.join(rest)}")
    if not quiet:
        print("the lab is down" if existed else "no lab was up")
