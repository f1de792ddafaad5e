"""`python3 -m lab`: the booted lab's commands."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from lab import booted, hosts, precheck, public, ssh
from lab.errors import LabError
from lab.lock import exclusive
from lab.namespaces import NamedNamespaces
from lab.nat import MODES
from lab.nat import counters as read_counters
from lab.paths import Paths
from lab.state import DEFAULT_RTT_MS, State
from lab.topology import ROUTERS, SPARE, Host, host, router

BAD_INPUT = 2


def up(arguments: argparse.Namespace) -> int:
    _need_root()
    with exclusive():
        booted.up(
            Paths(),
            rtt_ms=arguments.rtt_ms,
            jitter_ms=arguments.jitter_ms,
            fresh=arguments.fresh,
            suite=arguments.suite,
        )
    return 0


def down(arguments: argparse.Namespace) -> int:
    _need_root()
    with exclusive():
        booted.down(Paths())
    return 0


def status(arguments: argparse.Namespace) -> int:
    """0 if the lab is up and complete, otherwise 1."""
    _need_root()
    paths = Paths()
    owner, state = booted.owner_of_running_lab(), State.read(paths)
    if owner != paths.checkout or state is None:
        print(f"the lab of {owner} is up" if owner else "the lab is not up")
        return 1
    problems = booted.missing_parts(state)
    states = (
        dict.fromkeys((each.name for each in state.hosts), "?") if problems else hosts.system_states(paths, state.hosts)
    )
    problems = problems or booted.ill_hosts(states)
    if arguments.json:
        print(json.dumps({"state": asdict(state), "hosts": states, "problems": problems}))
        return 1 if problems else 0
    print(f"round trip {state.rtt_ms:g} ms, jitter {state.jitter_ms:g} ms")
    for each in state.hosts:
        print(f"{each.name:<12} {each.address:<14} {states[each.name]}")
    for each_router in ROUTERS:
        print(f"{each_router.name:<12} {each_router.public:<14} NAT {state.nat[each_router.name]}")
    for problem in problems:
        print(f"problem: {problem}")
    return 1 if problems else 0


def shell(arguments: argparse.Namespace) -> int:
    _need_root()
    return subprocess.call(ssh.command(Paths(), present_host(arguments.host), [], extra=["-t"]))


def ssh_command(arguments: argparse.Namespace) -> int:
    _need_root()
    words = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    return subprocess.call(ssh.command(Paths(), present_host(arguments.host), words))


def present_host(name: str) -> Host:
    """The host of that name, with its present address. Raises ValueError."""
    state = State.read(Paths())
    return state.host(name) if state else host(name)


def spare(arguments: argparse.Namespace) -> int:
    _need_root()
    with exclusive():
        changed = public.add_spare(Paths()) if arguments.state == "up" else public.remove_spare(Paths())
    if not changed:
        print(f"{SPARE.name} is {arguments.state}")
    elif arguments.state == "down":
        print(f"{SPARE.name} is gone")
    return 0


def move(arguments: argparse.Namespace) -> int:
    _need_root()
    with exclusive():
        before = public.move(Paths(), arguments.host, arguments.address)
    print(f"{arguments.host} is now at {arguments.address}, no longer at {before}")
    return 0


def nat(arguments: argparse.Namespace) -> int:
    _need_root()
    chosen = router(arguments.router)
    if arguments.mode is None:
        for name, counter in read_counters(NamedNamespaces(), chosen).items():
            print(f"{name:<12} {counter.packets:>8} packets {counter.bytes:>12} bytes")
        return 0
    with exclusive():
        booted.set_nat(Paths(), chosen, arguments.mode)
    print(f"{chosen.name} is now {arguments.mode}")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """0 if booted hosts can run here, otherwise 1."""
    probes = precheck.booted(Paths(), before_up=booted.owner_of_running_lab() is None)
    problem = precheck.first_problem(probes)
    reason = None if problem is None else f"{problem.name}: {problem.remedy}"
    if arguments.json:
        packages = precheck.missing_packages()
        print(
            json.dumps(
                {
                    "booted": problem is None,
                    "reason": reason,
                    "packages": packages,
                    "probes": [asdict(p) for p in probes],
                }
            )
        )
    else:
        for probe in probes:
            print(probe.line)
        print("booted hosts can run here" if reason is None else f"booted hosts can't run here: {reason}")
    return 0 if problem is None else 1


def _need_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the booted lab needs root; python3 -m lab.local does not")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python3 -m lab", description="three booted hosts behind two NATs, on this machine"
    )
    commands = top.add_subparsers(dest="command", required=True)

    def add(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        return command

    start = add("up", up, "bring the lab up (or find it up)")
    start.add_argument("--rtt-ms", type=float, default=DEFAULT_RTT_MS, help="round trip between public addresses")
    start.add_argument("--jitter-ms", type=float, default=0.0, help="up to this much more in each direction, at random")
    start.add_argument("--fresh", action="store_true", help="make new hosts even if the lab is up")
    start.add_argument(
        "--suite", default="", help="another release of this machine's distribution for the hosts: trixie"
    )
    add("down", down, "take it down: no process, mount, namespace or cgroup is left")
    add("status", status, "who is up").add_argument("--json", action="store_true")
    add("shell", shell, "a root shell on a host").add_argument("host")
    remote = add("ssh", ssh_command, "run a command on a host as root")
    remote.add_argument("host")
    remote.add_argument("words", nargs=argparse.REMAINDER)
    extra = add("spare", spare, f"boot one more public host, {SPARE.name} at {SPARE.address}, or end it")
    extra.add_argument("state", choices=("up", "down"))
    other = add("move", move, "give a public host another public address while it runs")
    other.add_argument("host")
    other.add_argument("address")
    change = add("nat", nat, "change a router's NAT; without a mode, show its counters")
    change.add_argument("router", help=" or ".join(each.name for each in ROUTERS))
    change.add_argument("mode", choices=MODES, nargs="?")
    add("precheck", check, "can booted hosts run here?").add_argument("--json", action="store_true")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    # A command that is ended from outside still removes what it has half built.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        function: Callable[[argparse.Namespace], int] = arguments.function
        return function(arguments)
    except (LabError, ValueError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
