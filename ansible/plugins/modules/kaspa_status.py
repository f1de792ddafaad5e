#!/usr/bin/python
"""Asks a running node for its status, and waits until it is in the wanted state."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import service

try:
    from kaspa_node.control import client
    from kaspa_node.errors import KaspaNodeError
except ImportError:
    IMPORT_ERROR = traceback.format_exc()
else:
    IMPORT_ERROR = ""

DOCUMENTATION = r"""
module: kaspa_status
short_description: Wait for a node
description:
  - Changes nothing. Needs the package kaspa_node, so run it with the Python that the node runs with.
options:
  control: {type: path, required: true, description: The node's control socket.}
  wanted:
    type: str
    choices: [answering, reserved, connected, direct]
    default: answering
    description: >-
      C(answering): it answers at all; C(reserved): every relay has accepted its reservation; C(connected): it has a
      session that is ready with every remote, or, where its backend is external, a path to every remote; C(direct): it
      reaches every remote on a direct path.
  serves:
    type: list
    elements: str
    default: []
    description: Peer ids that a relay has to hold reservations of, and a peer ready sessions with, besides.
  absent:
    type: list
    elements: str
    default: []
    description: Peer ids of relays and remotes that are not waited for, because their hosts can't be reached now.
  timeout: {type: int, default: 30, description: Seconds to wait.}
  manager: {type: str, choices: [systemd, process], default: systemd, description: What runs the service.}
  service: {type: str, required: true, description: The service.}
  directory: {type: path, description: Where a plain process has its log.}
"""

EXAMPLES = r"""
- name: Wait for the reservations
  kaspa_status:
    control: /run/kaspa-node/control.sock
    service: kaspa-peer
    wanted: reserved
"""

RETURN = r"""
status: {type: dict, returned: success, description: The node's status.}
"""

PAUSE = 0.2
LAST_LINES = 5
# The states of a remote with a path.
PATHS = ("direct", "relayed")

Status = dict[str, Any]


def not_reserved(status: Status, absent: Sequence[str] = ()) -> str:
    """The relays that have not accepted the reservation, and why; "" if all have that are not absent."""
    relays = status.get("relays", [])
    if not relays:
        return "it knows no relay"
    return "; ".join(
        f"relay {relay['peer_id']} at {relay.get('addr')}: {relay['state']}{_because(relay)}"
        for relay in relays
        if relay["state"] != "reserved" and relay["peer_id"] not in absent
    )


def not_connected(status: Status, absent: Sequence[str] = ()) -> str:
    """The remotes without a ready session, and why; "" if all have one.

    With an external backend the sessions belong to other programs, which start and stop: a path is enough.
    """
    remotes = status.get("remotes", [])
    if status.get("backend"):
        there = {remote["peer_id"] for remote in remotes if remote["state"] in PATHS}
    else:
        there = {session["peer_id"] for session in status.get("sessions", []) if session["state"] == "ready"}
    return "; ".join(
        f"remote {remote.get('name') or remote['peer_id']}: {remote['state']}{_because(remote)}"
        for remote in remotes
        if remote["peer_id"] not in there and remote["peer_id"] not in absent
    )


def not_direct(status: Status, absent: Sequence[str] = ()) -> str:
    """The remotes without a direct path, and why; "" if all have one."""
    return "; ".join(
        f"remote {remote.get('name') or remote['peer_id']}: {remote['state']}{_because(remote)}"
        for remote in status.get("remotes", [])
        if remote["state"] != "direct" and remote["peer_id"] not in absent
    )


def not_serving(status: Status, peers: Sequence[str]) -> str:
    """The peers without a reservation on a relay or a ready session with a peer; "" if all have one."""
    if status.get("role") == "relay":
        what, there = "reservation", {each["peer_id"] for each in status.get("reservations", [])}
    else:
        what = "session"
        there = {each["peer_id"] for each in status.get("sessions", []) if each["state"] == "ready"}
    return "; ".join(f"no {what} of {peer} yet" for peer in peers if peer not in there)


def _because(entry: dict[str, Any]) -> str:
    return f" ({entry['reason']})" if entry.get("reason") else ""


LACKS: dict[str, Callable[[Status, Sequence[str]], str]] = {
    "answering": lambda status, absent: "",
    "reserved": not_reserved,
    "connected": not_connected,
    "direct": not_direct,
}


def wait(
    ask: Callable[[], Status],
    lacks: Callable[[Status], str],
    timeout: float,
    clock: Callable[[], float],
    pause: Callable[[], None],
) -> tuple[Status | None, str]:
    """The first status without anything missing, and ""; after `timeout` seconds None, and what was missing at last."""
    deadline = clock() + timeout
    while True:
        try:
            status = ask()
            lack = lacks(status)
        except KaspaNodeError as error:
            lack = str(error)
        else:
            if not lack:
                return status, ""
        if clock() >= deadline:
            return None, lack
        pause()


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "control": {"type": "path", "required": True},
            "wanted": {"type": "str", "choices": list(LACKS), "default": "answering"},
            "serves": {"type": "list", "elements": "str", "default": []},
            "absent": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 30},
            "manager": {"type": "str", "choices": ["systemd", "process"], "default": "systemd"},
            "service": {"type": "str", "required": True},
            "directory": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kaspa_node"), exception=IMPORT_ERROR)
    wanted = module.params

    def ask() -> Status:
        status: Status = client.request(wanted["control"], {"do": "status"}, 5.0).get("status", {})
        return status

    def lacks(status: Status) -> str:
        return LACKS[wanted["wanted"]](status, wanted["absent"]) or not_serving(status, wanted["serves"])

    status, lack = wait(ask, lacks, wanted["timeout"], time.monotonic, lambda: time.sleep(PAUSE))
    if status is None:
        node = service(wanted["manager"], wanted["service"], wanted["directory"])
        try:
            last = node.last_lines(LAST_LINES)
        except OSError as error:
            last = [str(error)]
        problem = f"{wanted['service']} is not {wanted['wanted']} after {wanted['timeout']} s: {lack}"
        module.fail_json(msg=problem, last_lines=last)
    module.exit_json(changed=False, status=status)


if __name__ == "__main__":
    main()
