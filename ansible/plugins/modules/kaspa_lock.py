#!/usr/bin/python
"""Takes and gives back the lock on a host."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_host_lock as lock

DOCUMENTATION = r"""
module: kaspa_lock
short_description: Take or release the lock on a host
description:
  - The part on the host of the action of the same name, which says who takes the lock.
options:
  path: {type: path, required: true, description: The lock's file.}
  state: {type: str, choices: [held, released], default: held, description: Whether to take or to release it.}
  holder: {type: dict, required: true, description: "id (of the run), who, what, since."}
  instead_of: {type: str, default: "", description: The id of a run whose lock may be replaced.}
"""

EXAMPLES = r"""
- name: Take the lock
  kaspa_lock:
    path: /run/kaspa-node.lock
    what: deploy.yml
"""

RETURN = r"""
holder: {type: dict, returned: always, description: Who holds it now.}
"""


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
            "holder": {"type": "dict", "required": True},
            "instead_of": {"type": "str", "default": ""},
        },
    )
    path, holder = module.params["path"], module.params["holder"]
    try:
        if module.params["state"] == "released":
            lock.release(path, holder["id"])
            module.exit_json(changed=False, holder=lock.look(path))
        module.exit_json(changed=False, holder=lock.take(path, holder, module.params["instead_of"]))
    except OSError as error:
        module.fail_json(msg=f"the lock {path} can't be used: {(error.strerror or str(error)).lower()}")


if __name__ == "__main__":
    main()
