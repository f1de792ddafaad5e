#!/usr/bin/python
"""Reads and updates what the controller knows of hosts; runs on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_state_file as state

DOCUMENTATION = r"""
module: kaspa_state
short_description: Read and update the state file of an inventory
description:
  - The state file has what other hosts need of each host. So a run on some of the hosts writes the same lists as a run
    on all of them. Runs on the controller.
options:
  files:
    type: dict
    required: true
    description: Of each host of the inventory, the path of the state file that has its entry; "" if there can be none.
  found:
    type: dict
    default: {}
    description: Of hosts in this run, role and peer_id, and of relays multiaddr.
  forget: {type: list, elements: str, default: [], description: Hosts that have been removed.}
"""

EXAMPLES = r"""
- name: Remember the peer ids
  kaspa_state:
    files: {client: /home/ann/fleet/.kaspa/hosts.yml.json}
    found: {client: {role: peer, peer_id: 12D3KooW...}}
"""

RETURN = r"""
known: {type: dict, returned: always, description: "By host, its entry: role, peer_id, seen, and of a relay multiaddr."}
changes: {type: list, returned: always, description: One line for each entry that changed.}
problems: {type: list, returned: always, description: Why a file could not be used.}
"""

NO_FILE = "this inventory is not a file, so nothing can be kept beside it; set kaspa_fleet_state_file"


def remember(
    files: Mapping[str, str], found: Mapping[str, Mapping[str, str]], forget: list[str], today: str, dry: bool
) -> dict[str, Any]:
    """Update each file: the module's result. dry: read only."""
    known: state.Entries = {}
    changes: list[str] = []
    problems = [NO_FILE] if "" in files.values() else []
    for path in dict.fromkeys(path for path in files.values() if path):
        here = [host for host, file in files.items() if file == path]
        fresh = {host: found[host] for host in here if host in found}

        def how(entries: state.Entries, fresh: Mapping[str, Mapping[str, str]] = fresh) -> state.Entries:
            return state.without(state.updated(entries, fresh, today), forget)

        try:
            if dry or not (fresh or forget):
                before = state.read(path)
                after = how(before)
            else:
                before, after = state.change(path, how)
        except state.StateError as error:
            problems.append(str(error))
            continue
        changes += state.changes(before, after)
        known |= {host: after[host] for host in here if host in after}
    return {"known": known, "changes": changes, "problems": problems}


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "dict", "required": True},
            "found": {"type": "dict", "default": {}},
            "forget": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    today = datetime.now(tz=UTC).date().isoformat()
    result = remember(wanted["files"], wanted["found"], wanted["forget"], today, module.check_mode)
    module.exit_json(changed=bool(result["changes"]), **result)


if __name__ == "__main__":
    main()
