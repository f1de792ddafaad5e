#!/usr/bin/python
"""Makes a running node apply its present configuration, and says if a restart is needed."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import service

try:
    from kaspa_node.control import client
    from kaspa_node.errors import ControlError, RequestFailed, RequestRefused
except ImportError:
    IMPORT_ERROR = traceback.format_exc()
else:
    IMPORT_ERROR = ""

DOCUMENTATION = r"""
module: kaspa_reload
short_description: Make a node read its configuration again
description:
  - The node compares its configuration with what it goes by, and applies what differs without ending sessions; where
    that can't be, it applies nothing. So the node is brought to its configuration whatever an earlier run has left.
  - A node that does not run reads its configuration when it starts; there is nothing to do then.
  - Needs the package kaspa_node, so run it with the Python that the node runs with.
options:
  control: {type: path, required: true, description: The node's control socket.}
  timeout: {type: int, default: 15, description: Seconds in which a node that runs must answer.}
  manager: {type: str, choices: [systemd, process], default: systemd, description: What runs the service.}
  service: {type: str, required: true, description: The service.}
  directory: {type: path, description: Where a plain process has its record.}
"""

EXAMPLES = r"""
- name: Apply the configuration
  kaspa_reload:
    control: /run/kaspa-node/control.sock
    service: kaspa-peer
"""

RETURN = r"""
applied: {type: list, elements: str, returned: success, description: The settings that the node has taken.}
restart: {type: list, elements: str, returned: success, description: What only a restart brings about, or why.}
"""

PAUSE = 0.2

Answer = dict[str, list[str]]


def bring_about(
    ask: Callable[[], Answer],
    runs: Callable[[], bool],
    timeout: float,
    clock: Callable[[], float],
    pause: Callable[[], None],
) -> Answer:
    """The settings that the node has applied, and those that need a restart; raises RequestRefused.

    A node that does not answer, or has a release without reload, must be restarted.
    """
    deadline = clock() + timeout
    while True:
        try:
            found = ask()
            return {key: [str(word) for word in found.get(key, [])] for key in ("applied", "restart")}
        except RequestRefused:
            raise
        except RequestFailed as error:
            return {"applied": [], "restart": [str(error)]}
        except ControlError as error:
            if not runs():
                return {"applied": [], "restart": []}
            if clock() >= deadline:
                return {"applied": [], "restart": [str(error)]}
        pause()


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "control": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 15},
            "manager": {"type": "str", "choices": ["systemd", "process"], "default": "systemd"},
            "service": {"type": "str", "required": True},
            "directory": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, applied=[], restart=[])
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kaspa_node"), exception=IMPORT_ERROR)
    wanted = module.params
    node = service(wanted["manager"], wanted["service"], wanted["directory"])

    def ask() -> Answer:
        found: dict[str, Any] = client.request(wanted["control"], {"do": "reload"}, 15.0).get("reload", {})
        return found

    def runs() -> bool:
        return node.state().active

    try:
        found = bring_about(ask, runs, wanted["timeout"], time.monotonic, lambda: time.sleep(PAUSE))
    except RequestRefused as error:
        module.fail_json(msg=f"{wanted['service']} can't use its configuration, and goes on as it was: {error}")
    module.exit_json(changed=bool(found["applied"]), **found)


if __name__ == "__main__":
    main()
