"""Shows a text on the terminal, unchanged."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.kaspa.private_peers.plugins.plugin_utils.kaspa_terminal import show

DOCUMENTATION = r"""
module: kaspa_say
short_description: Show a text on the terminal
description:
  - Shows a text for people, such as the summary of a deploy.
  - ansible.builtin.debug can't do this. It prints the text as a string of JSON, with C(\\n) for each line's end, and
    nothing at all if C(display_ok_hosts) is off, as in this project's ansible.cfg.
options:
  text: {type: str, required: true, description: One line or many.}
"""


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action behind a `kaspa_say` task."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"text"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Show it; nothing is changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        show("\n" + str(self._task.args.get("text", "")).rstrip() + "\n")
        return {**result, "changed": False}
