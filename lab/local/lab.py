"""Brings the rootless lab up, and takes it down."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

from lab import background, nat
from lab.command import environment, run
from lab.errors import LabError
from lab.local import processes
from lab.local.namespaces import KeptNamespaces
from lab.local.state import LOOPBACK, NAMESPACES, State, loopback
from lab.paths import Paths
from lab.precheck import NFT_PROBE, TOOLS
from lab.topology import HOSTS, ROUTERS, Host, Router

IN_USER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--net", "--"]
NEEDED = ("unshare", "nsenter", "ip", "nft", "conntrack", "sysctl")
PROBE = "ip link set lo up && ip link add va type veth peer name vb && nft -f - && sysctl -qw net.ipv4.ip_forward=1"


def state_file(paths: Paths) -> Path:
    return paths.local / "state.json"


def obstacle() -> str | None:
    """Why this user can't create namespaces here; None if they work."""
    for tool in NEEDED:
        if shutil.which(tool, path=environment()["PATH"]) is None:
            return f"{tool} is not installed: apt-get install {TOOLS[tool]}"
    try:
        run([*IN_USER_NAMESPACE, "sh", "-c", PROBE], stdin=NFT_PROBE)
    except LabError as error:
        return f"user namespaces don't work here: {error}"
    return None


def up(paths: Paths, *, mode: str | None = None, rtt_ms: float = 50.0, jitter_ms: float = 0.0) -> State:
    """Bring the lab up, if it is not up already. Without `mode`, namespaces if they work, otherwise loopback.

    Raises LabError, also for requested namespaces that are not possible.
    """
    state = State.read(state_file(paths))
    if state and mode in (None, state.mode) and is_well(paths, state):
        same_wire = state.mode == LOOPBACK or (state.rtt_ms, state.jitter_ms) == (rtt_ms, jitter_ms)
        if same_wire:
            return state
    down(paths)
    paths.local.mkdir(parents=True, exist_ok=True)
    reason = "asked for" if mode == LOOPBACK else obstacle()
    if mode == NAMESPACES and reason:
        raise LabError(reason)
    state = loopback(reason)
    if reason is None:
        try:
            state = _namespaces(paths, rtt_ms, jitter_ms)
        except LabError as error:
            processes.end(paths.checkout)
            if mode == NAMESPACES:
                raise
            state = loopback(str(error))
    for host in HOSTS:
        _write_interpreter(paths, state, host)
    state.write(state_file(paths))
    return state


def _namespaces(paths: Paths, rtt_ms: float, jitter_ms: float) -> State:
    pids = paths.local / "pids.json"
    holder = background.module(
        "lab.local.holder", f"--rtt-ms={rtt_ms:g}", f"--jitter-ms={jitter_ms:g}", f"--pids={pids}"
    )
    process = background.start_ready(
        [*IN_USER_NAMESPACE, *holder], paths.local / "holder.log", extra={processes.MARK: str(paths.checkout)}
    )
    return State(
        NAMESPACES,
        None,
        rtt_ms,
        jitter_ms,
        process.pid,
        json.loads(pids.read_text()),
        {router.name: "plain" for router in ROUTERS},
        {host.name: {"address": host.address} for host in HOSTS},
    )


def enter(paths: Paths, state: State, host: Host) -> list[str]:
    """The words before a command line that make it run on the host, with the lab's mark."""
    mark = ["env", f"{processes.MARK}={paths.checkout}"]
    return [*mark, *KeptNamespaces(state.pids).enter(host.name)] if state.mode == NAMESPACES else mark


def interpreter(paths: Paths, host: Host) -> Path:
    """The program that Ansible uses as the host's Python."""
    return paths.local / "bin" / f"python-{host.name}"


def _write_interpreter(paths: Paths, state: State, host: Host) -> None:
    file = interpreter(paths, host)
    file.parent.mkdir(exist_ok=True)
    own = paths.checkout / ".venv/bin/python"
    file.write_text(
        f"#!/bin/sh\n# Python on the host {host.name} of the local lab; made by `python3 -m lab.local up`.\n"
        f"python={shlex.quote(str(own))}\n"
        f'[ -x "$python" ] || python={shlex.quote(sys.executable)}\n'
        f'exec {shlex.join(enter(paths, state, host))} "$python" "$@"\n'
    )
    file.chmod(0o755)


def is_well(paths: Paths, state: State) -> bool:
    """Whether all processes of the lab run."""
    alive = processes.marked(paths.checkout)
    return state.mode == LOOPBACK or (state.holder in alive and alive.issuperset(state.pids.values()))


def set_nat(paths: Paths, router: Router, mode: str) -> None:
    """Change the NAT mode of a running router. Raises LabError, ValueError for an unknown mode."""
    state = State.read(state_file(paths))
    if state is None or state.mode != NAMESPACES:
        raise LabError("no local lab with NATs is up; bring it up: python3 -m lab.local up --mode namespaces")
    nat.apply(KeptNamespaces(state.pids), router, mode)
    state.nat[router.name] = mode
    state.write(state_file(paths))


def narrow(paths: Paths, router: Router, size: int | None) -> None:
    """Have a running router drop packets above `size` bytes to the other NATs; None: no more. Raises LabError."""
    state = State.read(state_file(paths))
    if state is None or state.mode != NAMESPACES:
        raise LabError("no local lab with NATs is up; bring it up: python3 -m lab.local up --mode namespaces")
    nat.narrow(KeptNamespaces(state.pids), router, size)


def down(paths: Paths) -> bool:
    """End every process of the lab and of its deployments; remove its state. False if none was up."""
    existed = state_file(paths).exists() or bool(processes.members(paths.checkout))
    processes.end(paths.checkout)
    for name in ("state.json", "pids.json", "holder.log"):
        (paths.local / name).unlink(missing_ok=True)
    for host in HOSTS:
        interpreter(paths, host).unlink(missing_ok=True)
    for directory in (paths.local / "bin", paths.local):
        with contextlib.suppress(OSError):  # it does not exist, or deployed files are still in it
            os.rmdir(directory)
    return existed
