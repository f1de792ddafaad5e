#!/usr/bin/python
"""Starts and stops a program as a plain process, without a service manager."""

from __future__ import annotations

import hashlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import ProcessService

DOCUMENTATION = r"""
module: kaspa_process
short_description: Keep a program running as a plain process
description:
  - For inventories without a service manager. The process is a session of its own; its output goes to
    C(NAME.log), and C(NAME.json) beside it says which process it is and how it was started.
  - It is restarted when its words, its variables or C(token) differ from those that it was started with.
options:
  name: {type: str, required: true, description: The service's name.}
  directory: {type: path, required: true, description: Where its log and its record are.}
  state:
    type: str
    choices: [started, stopped, restarted]
    default: started
    description: What is wanted. C(restarted) starts it again as it was started last, and takes no other words.
  argv: {type: list, elements: str, default: [], description: The program and its arguments.}
  environment: {type: dict, default: {}, description: Variables added to the environment.}
  token: {type: str, default: "", description: "Anything; another value restarts the process."}
  stop_timeout: {type: int, default: 10, description: Seconds between SIGTERM and SIGKILL.}
"""

EXAMPLES = r"""
- name: Run the relay
  kaspa_process:
    name: kaspa-relay
    directory: .lab/local/relay
    argv: [kaspa-node, relay, --config, .lab/local/relay/relay.toml]
"""

RETURN = r"""
pid: {type: int, returned: always, description: "The process, 0 where none runs."}
"""


def fingerprint(argv: list[str], environment: dict[str, str], token: str) -> str:
    """A hash over everything that a process was started with."""
    return hashlib.sha256(repr((argv, sorted(environment.items()), token)).encode()).hexdigest()


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped", "restarted"], "default": "started"},
            "argv": {"type": "list", "elements": "str", "default": []},
            "environment": {"type": "dict", "default": {}},
            "token": {"type": "str", "default": "", "no_log": False},
            "stop_timeout": {"type": "int", "default": 10},
        },
        required_if=[("state", "started", ("argv",))],
        supports_check_mode=True,
    )
    wanted = module.params
    service = ProcessService(wanted["name"], wanted["directory"])
    environment = {name: str(value) for name, value in wanted["environment"].items()}
    mark = fingerprint(wanted["argv"], environment, wanted["token"])
    before = service.state()
    if wanted["state"] == "stopped":
        changed = before.active or bool(service.record())
    elif wanted["state"] == "restarted":
        changed = True
    else:
        changed = not before.active or service.record().get("fingerprint") != mark
    pid = before.pid
    if changed and not module.check_mode:
        service.stop(wanted["stop_timeout"])
        pid = 0
        if wanted["state"] == "stopped":
            service.forget()
        else:
            again = wanted["state"] == "restarted"
            try:
                pid = service.start_again() if again else service.start(wanted["argv"], environment, mark)
            except OSError as error:
                module.fail_json(msg=f"{wanted['name']} can't be started: {error.strerror or error}")
    module.exit_json(changed=changed, pid=pid)


if __name__ == "__main__":
    main()
