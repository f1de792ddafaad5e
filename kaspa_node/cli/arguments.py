"""The grammar of the command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import NoReturn

from kaspa_node import __version__
from kaspa_node.constants import PATH_POLICIES
from kaspa_node.control.protocol import DEFAULT_PATH
from kaspa_node.errors import EXIT_BAD_INPUT, one_line

SESSION_TIMEOUT = 60.0
EXERCISE_TIMEOUT = 60.0
STATUS_TIMEOUT = 5.0
RELOAD_TIMEOUT = 15.0
MOST_PINGS = 100_000


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"kaspa-node: {one_line(message)}; see {self.prog} --help\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of one command; exits with code 2 and one line if they are wrong."""
    return _parser().parse_args(argv)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="kaspa-node", description="A Kaspa node behind a NAT: relay and peer.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"kaspa-node {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    for role, text in (("relay", "run a relay until it is stopped"), ("peer", "run a peer until it is stopped")):
        program = _command(commands, role, text)
        _config(program)
        text = f"start nothing; exit code 2 and the reason if a {role} can't run with this configuration"
        program.add_argument("--check", action="store_true", help=text)

    identity = _command(commands, "identity", "print the peer id; makes the key at first use")
    _config(identity)
    _json(identity)

    status = _command(commands, "status", "show what the running node is doing")
    status.set_defaults(timeout=STATUS_TIMEOUT)
    _control(status)
    _json(status)

    text = "make the running node read its configuration again, without ending sessions; SIGHUP does the same"
    reload = _command(commands, "reload", text)
    _timeout(reload, RELOAD_TIMEOUT)
    _control(reload)
    _json(reload)

    session = _command(commands, "session", "ask the running peer for a fresh session with a remote")
    session.add_argument("remote", metavar="REMOTE", help="a peer id, or the name of a configured remote")
    session.add_argument("--run", metavar="ID", help="an id for this session's log lines")
    session.add_argument("--policy", choices=PATH_POLICIES, help="instead of the configured path policy")
    text = "with an external backend, also wait until a program's connection gets an answer over the path"
    session.add_argument("--stream", action="store_true", help=text)
    _timeout(session, SESSION_TIMEOUT)
    _control(session)
    _json(session)

    exercise = _command(commands, "exercise", "send countable pings over a session")
    exercise.add_argument("session", metavar="SESSION", help="as `kaspa-node status` shows it")
    exercise.add_argument("--pings", type=_pings, default=32, metavar="N", help="Kaspa pings each way (default: 32)")
    _timeout(exercise, EXERCISE_TIMEOUT)
    _control(exercise)
    _json(exercise)

    explain = _command(commands, "explain", "tell a run of verify as a story")
    text = "its id, the beginning of it, or its directory (default: the newest)"
    explain.add_argument("run", metavar="RUN", nargs="?", help=text)
    text = "where verify puts its runs (default: evidence)"
    explain.add_argument("--evidence", metavar="DIR", default="evidence", help=text)
    return parser


def _command(commands: argparse._SubParsersAction[_Parser], name: str, text: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="a TOML file; KASPA_NODE_* variables override it")


def _control(parser: argparse.ArgumentParser) -> None:
    text = f"the node's control socket (default: KASPA_NODE_CONTROL, else {DEFAULT_PATH})"
    parser.add_argument("--control", metavar="PATH", help=text)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, on one line")


def _timeout(parser: argparse.ArgumentParser, default: float) -> None:
    text = f"seconds to wait at most (default: {default:g})"
    parser.add_argument("--timeout", type=_seconds, default=default, metavar="S", help=text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0 and up to 86400")
    return seconds


def _pings(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= MOST_PINGS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_PINGS}")
    return int(text)
