"""The process that holds the rootless lab: started in a user namespace of its own, it makes the network namespaces,
connects them and runs the hub. Everything in it ends with it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import hub, nat, network
from lab.errors import LabError
from lab.local.namespaces import KeptNamespaces
from lab.setns import end_with_parent, network_namespace, unshare_network
from lab.topology import HUB, NAMESPACES, PORTS, ROUTERS


def child(work: Callable[[], object]) -> int:
    """Run `work` in a child that dies with this process; its PID."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        end_with_parent(signal.SIGKILL)
        if os.getppid() == parent:
            work()
            status = 0
    finally:
        os._exit(status)


def keep_namespace() -> int:
    """A child in a new network namespace, when that exists. Raises LabError."""
    reader, writer = os.pipe()

    def keep() -> None:
        unshare_network()
        os.write(writer, b"1")
        os.close(writer)
        while True:
            signal.pause()

    pid = child(keep)
    os.close(writer)
    made = os.read(reader, 1)
    os.close(reader)
    if not made:
        raise LabError("cannot make a network namespace")
    return pid


def start_hub(namespaces: KeptNamespaces, rtt_ms: float, jitter_ms: float) -> int:
    """The hub as a child, when it forwards. Raises LabError."""
    reader, writer = os.pipe()
    undelayed = [f"--undelayed={port.port}" for port in PORTS if not port.delayed]
    options = [f"--rtt-ms={rtt_ms:g}", f"--jitter-ms={jitter_ms:g}", f"--ready-fd={writer}", *undelayed]

    def serve() -> None:
        os.close(reader)
        with network_namespace(namespaces.path(HUB)):
            hub.main([*options, *(port.port for port in PORTS)])

    pid = child(serve)
    os.close(writer)
    ready = os.read(reader, 16)
    os.close(reader)
    if not ready:
        raise LabError("the hub did not start")
    return pid


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m lab.local.holder", description="holds the rootless lab")
    parser.add_argument("--rtt-ms", type=float, required=True)
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    parser.add_argument("--pids", type=Path, required=True, help="file that gets each namespace's PID")
    parser.add_argument("--ready-fd", type=int, required=True)
    arguments = parser.parse_args(argv)
    # A blocked signal waits for sigwait below, even if it comes early.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        namespaces = KeptNamespaces({name: keep_namespace() for name in NAMESPACES}, inside=True)
        network.build(namespaces)
        for router in ROUTERS:
            nat.apply(namespaces, router, "plain")
        start_hub(namespaces, arguments.rtt_ms, arguments.jitter_ms)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    arguments.pids.write_text(json.dumps(namespaces.pids) + "\n")
    os.write(arguments.ready_fd, b"ready\n")
    os.close(arguments.ready_fd)
    # Without one of its children the lab is damaged: end, and the rest ends too.
    while True:
        signal.sigwait({signal.SIGCHLD})
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            print(f"child {pid} ended with status {status}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
