"""Logs in to a host anew, with the settings of the inventory, beside the connections that are open."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

DOCUMENTATION = r"""
module: kaspa_new_connection
short_description: Prove that a host can be logged in to
description:
  - Opens a new SSH connection as Ansible would, but shares none that is open already, because a firewall treats the
    packets of an open connection in another way than those of a new one.
options:
  within: {type: int, default: 30, description: Seconds. A connection that is refused is tried again until then.}
  consequence: {type: str, default: "", description: "What happens if it fails, for the message."}
"""

ALONE = "-o ControlMaster=no -o ControlPath=none"
LONGEST_TRY = 10


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action behind a `kaspa_new_connection` task."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"within", "consequence"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Log in and run `true`."""
        result: dict[str, Any] = {**super().run(tmp, task_vars), "changed": False}
        del tmp
        within = int(self._task.args.get("within", 30))
        if self._connection.transport == "ssh":
            # ssh takes the first value of an option.
            alone = f"{ALONE} -o ConnectTimeout={min(LONGEST_TRY, within)}"
            self._connection.set_option("ssh_args", f"{alone} {self._connection.get_option('ssh_args') or ''}")
        end = time.monotonic() + within
        reason = ""
        while time.monotonic() < end:
            try:
                self._connection.exec_command("true", sudoable=False)
            except AnsibleConnectionFailure as error:
                reason = " ".join(str(error).split())[-200:]
                time.sleep(1)
            else:
                return result
        consequence = str(self._task.args.get("consequence", ""))
        message = f"a new SSH connection to this host fails: {reason}; {consequence}".rstrip("; ")
        return {**result, "failed": True, "msg": message}
