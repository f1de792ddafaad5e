"""`python3 -m lab.local`: the rootless lab's commands."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from lab.errors import LabError
from lab.local import lab
from lab.local.state import LOOPBACK, NAMESPACES, State
from lab.lock import exclusive
from lab.nat import MODES
from lab.paths import Paths
from lab.topology import ROUTERS, host, router

BAD_INPUT = 2


def up(arguments: argparse.Namespace) -> int:
    paths = Paths()
    with exclusive(paths.state / "local.lock"):
        state = lab.up(paths, mode=arguments.mode, rtt_ms=arguments.rtt_ms, jitter_ms=arguments.jitter_ms)
    print(f"the local lab is up: {describe(state)}")
    return 0


def describe(state: State) -> str:
    hosts = ", ".join(f"{name} {values['address']}" for name, values in state.hosts.items())
    if state.mode == NAMESPACES:
        return f"{hosts}; two NATs, round trip {state.rtt_ms:g} ms"
    return f"{hosts}; on loopback, without NATs ({state.reason})"


def down(arguments: argparse.Namespace) -> int:
    paths = Paths()
    with exclusive(paths.state / "local.lock"):
        existed = lab.down(paths)
    print("the local lab is down" if existed else "no local lab was up")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """0 if the lab is up and complete, otherwise 1."""
    paths = Paths()
    state = State.read(lab.state_file(paths))
    well = state is not None and lab.is_well(paths, state)
    if arguments.json:
        print(json.dumps(asdict(state) | {"well": well} if state else {"well": False}))
    elif state is None:
        print("the local lab is not up")
    else:
        print(describe(state) if well else "the local lab is broken; python3 -m lab.local up mends it")
    return 0 if well else 1


def execute(arguments: argparse.Namespace) -> int:
    paths = Paths()
    chosen = host(arguments.host)
    state = State.read(lab.state_file(paths))
    if state is None:
        raise LabError("the local lab is not up; bring it up first: python3 -m lab.local up")
    words = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    if not words:
        raise LabError("no command given: python3 -m lab.local exec HOST -- COMMAND")
    argv = [*lab.enter(paths, state, chosen), *words]
    os.execvp(argv[0], argv)


def nat(arguments: argparse.Namespace) -> int:
    paths = Paths()
    chosen = router(arguments.router)
    with exclusive(paths.state / "local.lock"):
        lab.set_nat(paths, chosen, arguments.mode)
    print(f"{chosen.name} is now {arguments.mode}")
    return 0


def parser() -> argparse.ArgumentParser:
    text = "relay, server and client as plain processes, without root"
    top = argparse.ArgumentParser(prog="python3 -m lab.local", description=text)
    commands = top.add_subparsers(dest="command", required=True)

    def add(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        return command

    start = add("up", up, "bring the lab up (or find it up)")
    start.add_argument("--mode", choices=(NAMESPACES, LOOPBACK), help="default: namespaces where they work")
    start.add_argument("--rtt-ms", type=float, default=50.0, help="between public addresses")
    start.add_argument("--jitter-ms", type=float, default=0.0, help="up to this much more in each direction, at random")
    add("down", down, "end every process of it")
    add("status", status, "what is up").add_argument("--json", action="store_true")
    remote = add("exec", execute, "run a command on a host")
    remote.add_argument("host")
    remote.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    change = add("nat", nat, "change a router's NAT")
    change.add_argument("router", help=" or ".join(each.name for each in ROUTERS))
    change.add_argument("mode", choices=MODES)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        function: Callable[[argparse.Namespace], int] = arguments.function
        return function(arguments)
    except (LabError, ValueError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return BAD_INPUT
    except PermissionError as error:
        print(
            f"lab: {error.filename}: {error.strerror}; another user's lab? take it down as that user", file=sys.stderr
        )
        return BAD_INPUT
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
