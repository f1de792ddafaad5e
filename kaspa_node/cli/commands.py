"""What each command does.

Commands that ask a running node need only the standard library. Only the commands that run a node, or need its key,
import the node's own modules, because these imports take longer than an answer of the node.
"""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kaspa_node.cli import render
from kaspa_node.control import client
from kaspa_node.control.protocol import DEFAULT_PATH
from kaspa_node.errors import EXIT_FAILED, EXIT_OK, ControlError

_CONTROL_VARIABLE = "KASPA_NODE_CONTROL"
# The node keeps the time limit and answers with the reason. This limit is for a node that does not answer at all.
_GRACE = 5.0

Environ = Mapping[str, str]


def relay(arguments: Namespace, environ: Environ) -> int:
    """Run a relay until it is stopped."""
    return _run("relay", arguments, environ)


def peer(arguments: Namespace, environ: Environ) -> int:
    """Run a peer until it is stopped."""
    return _run("peer", arguments, environ)


def identity(arguments: Namespace, environ: Environ) -> int:
    """Print the peer id."""
    from kaspa_node.identity import KEY_FILE, load_or_create
    from kaspa_node.settings import load_state_dir

    state_dir = load_state_dir(arguments.config, environ)
    found = load_or_create(state_dir)
    reply = {"peer_id": found.peer_id, "key_file": str(state_dir / KEY_FILE)}
    return _print(arguments, reply, found.peer_id)


def status(arguments: Namespace, environ: Environ) -> int:
    """Show what the running node is doing."""
    reply = _ask(arguments, environ, {"do": "status"}, "status", grace=0)
    return _print(arguments, reply, render.status(reply, time.time()))


def reload(arguments: Namespace, environ: Environ) -> int:
    """Make the running node read its configuration again."""
    reply = _ask(arguments, environ, {"do": "reload"}, "reload")
    shown = _print(arguments, reply, render.reload(reply))
    return EXIT_FAILED if reply.get("restart") else shown


def session(arguments: Namespace, environ: Environ) -> int:
    """Ask the running peer for a fresh session."""
    optional = {"run": arguments.run, "policy": arguments.policy, "stream": arguments.stream or None}
    payload = {"do": "session", "remote": arguments.remote, "timeout": arguments.timeout}
    payload |= {key: value for key, value in optional.items() if value is not None}
    reply = _ask(arguments, environ, payload, "session")
    return _print(arguments, reply, render.session(reply))


def exercise(arguments: Namespace, environ: Environ) -> int:
    """Send pings over a session."""
    payload = {
        "do": "exercise",
        "session": arguments.session,
        "pings": arguments.pings,
        "timeout": arguments.timeout,
    }
    reply = _ask(arguments, environ, payload, "exercise")
    return _print(arguments, reply, render.exercise(reply))


def explain(arguments: Namespace, environ: Environ) -> int:
    """Tell a run of verify as a story."""
    from kaspa_node.cli.explain import explain

    return _show(explain(Path(arguments.evidence), arguments.run))


COMMANDS: Mapping[str, Callable[[Namespace, Environ], int]] = {
    "relay": relay,
    "peer": peer,
    "identity": identity,
    "status": status,
    "reload": reload,
    "session": session,
    "exercise": exercise,
    "explain": explain,
}


def _run(role: str, arguments: Namespace, environ: Environ) -> int:
    from kaspa_node import journal
    from kaspa_node.identity import load_if_there, load_or_create
    from kaspa_node.settings import load_settings

    load = partial(load_settings, role, arguments.config, environ)
    settings = load()
    # A check changes nothing, so it makes no key.
    own = load_if_there(settings.state_dir) if arguments.check else load_or_create(settings.state_dir)
    if own is not None:
        settings.check(own.peer_id)

    # Last, because it takes longest: an error in the configuration is then reported at once.
    import trio

    from kaspa_node.node import run_peer, run_relay

    if arguments.check or own is None:
        return _show(f"A {role} can run with this configuration.")
    log = journal.configure(settings.log_level)
    trio.run(run_relay if role == "relay" else run_peer, settings, own, log, load)
    return EXIT_OK


def _ask(
    arguments: Namespace, environ: Environ, payload: Mapping[str, Any], key: str, grace: float = _GRACE
) -> dict[str, Any]:
    path = arguments.control or environ.get(_CONTROL_VARIABLE) or DEFAULT_PATH
    reply = client.request(path, payload, arguments.timeout + grace).get(key)
    if not isinstance(reply, dict):
        raise ControlError(f"the answer on {path} has no {key}; is it a kaspa-node's socket?")
    return reply


def _print(arguments: Namespace, reply: Mapping[str, Any], text: str) -> int:
    return _show(json.dumps(reply) if arguments.json else text)


def _show(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # `| head` has read enough. Python flushes standard output again at exit, and that must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    return EXIT_OK
