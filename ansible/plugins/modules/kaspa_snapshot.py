#!/usr/bin/python
"""Takes a snapshot of a node: its service, the kernel's view of its sockets, its own status, its log."""

from __future__ import annotations

import json
import socket
import time
import traceback
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_native import Seen, wait
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import (
    Mark,
    NativeService,
    Service,
    command,
    service,
)

try:
    from kaspa_node.control import client
    from kaspa_node.errors import KaspaNodeError
    from kaspa_node.evidence import sockets
except ImportError:
    IMPORT_ERROR = traceback.format_exc()
else:
    IMPORT_ERROR = ""

DOCUMENTATION = r"""
module: kaspa_snapshot
short_description: Take evidence of a node
description:
  - Changes nothing. Needs the package kaspa_node, so run it with the Python that the node runs with.
  - What can't be had is no failure; C(snapshot.error) says what is missing, and why.
options:
  host: {type: str, required: true, description: The name of the host in the inventory.}
  label: {type: str, required: true, description: "The snapshot's name, such as C(before)."}
  controller_time: {type: float, required: true, description: "What the controller's clock shows, as Unix time, now."}
  manager: {type: str, choices: [systemd, process], default: systemd, description: What runs the service.}
  service: {type: str, required: true, description: "The service, C(kaspa-relay) or C(kaspa-peer)."}
  directory: {type: path, description: Where a plain process has its log.}
  control: {type: path, required: true, description: The node's control socket.}
  recorded: {type: path, description: The local fact that deploy left on the host.}
  log_since: {type: dict, description: "A C(mark) of an earlier call: return the log since then."}
  native: {type: str, default: "", description: "The unit of a native Kaspa program beside the peer, if there is one."}
  native_since: {type: dict, description: "A C(native_mark) of an earlier call: return that unit's log since then."}
  session:
    type: dict
    description:
      - "Wait until a session is up on the connection C(conn), and the native program says that it is connected."
      - "C(start): whether to start the native program for that; C(timeout): how many seconds to wait at most."
"""

EXAMPLES = r"""
- name: Look at the peer
  kaspa_snapshot:
    host: server
    label: before
    controller_time: "{{ lookup('ansible.builtin.pipe', 'date +%s.%N') }}"
    service: kaspa-peer
    control: /run/kaspa-node/control.sock
"""

RETURN = r"""
snapshot: {type: dict, returned: always, description: "Time, service, sockets, status and error."}
mark: {type: dict, returned: always, description: The end of the log as it is now.}
log: {type: str, returned: when log_since is given, description: The service's lines since that mark.}
native_mark: {type: dict, returned: when native is given, description: The end of that unit's log as it is now.}
native_log: {type: str, returned: when native_since is given, description: That unit's lines since that mark.}
facts:
  type: dict
  returned: always
  description: "The host's addresses and operating system, and the C(peer_id) that deploy wrote down, or null."
"""

STATUS_TIMEOUT = 10.0
PAUSE = 0.05


class Problems:
    """The missing parts; the first reason is reported."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, what: str, error: Exception) -> None:
        """Record that `what` is missing."""
        self.texts.append(f"{what}: {error}")

    def add(self, text: str) -> None:
        """Record it, unless it is empty."""
        self.texts += [text] if text else []

    def __str__(self) -> str:
        return "; ".join(self.texts)


def owned_sockets(manager: str, name: str, pid: int, text: str) -> list[dict[str, Any]]:
    """The entries of `ss` that belong to the service: by the unit's cgroup, or by the process."""
    pids = [pid] if pid and manager == "process" else []
    unit = name if manager == "systemd" else ""
    return [
        entry.as_entry()
        for entry in sockets.parse(text)
        if (unit and sockets.in_cgroup_of(entry.cgroup, unit)) or not set(pids).isdisjoint(entry.pids)
    ]


def addresses(text: str) -> list[str]:
    """The addresses in the output of `ip -o addr show scope global`."""
    found = [line.split()[3].partition("/")[0] for line in text.splitlines() if len(line.split()) > 3]
    return sorted(set(found), key=found.index)


def operating_system(release: str) -> str:
    """`Debian 12` from the text of os-release."""
    pairs = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    name = pairs.get("NAME", "Linux").strip('"').removesuffix(" GNU/Linux")
    return f"{name} {pairs.get('VERSION_ID', '').strip(chr(34))}".strip()


def recorded_peer_id(path: str | None) -> str | None:
    """The peer id in the local fact of deploy; None if there is none."""
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            fact = json.load(file)
    except (OSError, ValueError):
        return None
    peer_id = fact.get("peer_id") if isinstance(fact, dict) else None
    return peer_id if isinstance(peer_id, str) else None


def mark_of(given: dict[str, Any] | None) -> Mark:
    """A mark of an earlier call; the beginning of the log if there is none."""
    given = given or {}
    return Mark(str(given.get("cursor", "")), int(given.get("offset", 0)))


def await_session(wanted: dict[str, Any], node: Service, native: NativeService | None) -> str:
    """Start the native program if requested, and wait until the session is up; returns what is missing, or "".

    Raises OSError and KaspaNodeError.
    """
    asked = wanted["session"]
    if asked.get("start"):
        # Restart it: the program of an earlier run may be in its last seconds, and does not dial any more.
        command(["systemctl", "restart", f"{wanted['native']}.service"])

    def look() -> Seen:
        status = client.request(wanted["control"], {"do": "status"}, STATUS_TIMEOUT).get("status", {})
        journal = node.log_since(mark_of(wanted["log_since"]))
        if native is None:
            return Seen(status.get("sessions", []), journal, "", False, "")
        log = native.log_since(mark_of(wanted["native_since"]))
        return Seen(status.get("sessions", []), journal, wanted["native"], native.state().active, log)

    return wait(look, str(asked["conn"]), float(asked["timeout"]), time.monotonic, lambda: time.sleep(PAUSE))


def take(wanted: dict[str, Any]) -> dict[str, Any]:
    """Everything that the module returns; `wanted` holds its parameters."""
    problems = Problems()
    node = service(wanted["manager"], wanted["service"], wanted["directory"])
    native = NativeService(wanted["native"]) if wanted["native"] else None
    waited, began = 0.0, time.monotonic()
    if wanted["session"] is not None:
        try:
            problems.add(await_session(wanted, node, native))
        except (OSError, KaspaNodeError) as error:
            problems.note("session", error)
        waited = time.monotonic() - began
    facts = {"addresses": [], "os": "", "name": socket.gethostname(), "peer_id": recorded_peer_id(wanted["recorded"])}
    result: dict[str, Any] = {"facts": facts}
    snapshot: dict[str, Any] = {
        "host": wanted["host"],
        "label": wanted["label"],
        "time": time.time(),
        "controller_time": wanted["controller_time"] + waited,
        "service": {"name": wanted["service"], "active": False, "pid": 0, "invocation": ""},
        "sockets": None,
        "status": None,
        "native": None,
    }
    try:
        state = node.state()
        snapshot["service"] = state.as_dict()
        # Sockets first, because the request for the status would be visible in them.
        listing = command(sockets.COMMAND)
        snapshot["sockets"] = owned_sockets(wanted["manager"], wanted["service"], state.pid, listing)
        if native is not None:
            theirs = native.state().as_dict()
            snapshot["native"] = {"service": theirs, "sockets": owned_sockets("systemd", wanted["native"], 0, listing)}
    except OSError as error:
        problems.note("sockets", error)
    try:
        answer = client.request(wanted["control"], {"do": "status"}, STATUS_TIMEOUT)
        snapshot["status"] = answer["status"]
    except (KaspaNodeError, KeyError) as error:
        problems.note("status", error)
    try:
        result["mark"] = vars(node.mark())
        if wanted["log_since"] is not None:
            result["log"] = node.log_since(mark_of(wanted["log_since"]))
        if native is not None:
            result["native_mark"] = vars(native.mark())
        if native is not None and wanted["native_since"] is not None:
            result["native_log"] = native.log_since(mark_of(wanted["native_since"]))
        result["facts"]["addresses"] = addresses(command(["ip", "-o", "addr", "show", "scope", "global"]))
        with open("/etc/os-release", encoding="utf-8") as file:
            result["facts"]["os"] = operating_system(file.read())
    except OSError as error:
        problems.note("log", error)
    snapshot["error"] = str(problems) or None
    return {**result, "snapshot": snapshot}


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "label": {"type": "str", "required": True},
            "controller_time": {"type": "float", "required": True},
            "manager": {"type": "str", "choices": ["systemd", "process"], "default": "systemd"},
            "service": {"type": "str", "required": True},
            "directory": {"type": "path"},
            "control": {"type": "path", "required": True},
            "recorded": {"type": "path"},
            "log_since": {"type": "dict"},
            "native": {"type": "str", "default": ""},
            "native_since": {"type": "dict"},
            "session": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kaspa_node"), exception=IMPORT_ERROR)
    module.exit_json(changed=False, **take(module.params))


if __name__ == "__main__":
    main()
