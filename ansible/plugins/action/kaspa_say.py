"""Shows a text on the terminal, unchanged."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

DOCUMENTATION = r"""
module: kaspa_say
short_description: Show a text on the terminal
description: Like ansible.builtin.debug, but for people; the text is not dressed up as JSON.
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
        Display().display("\n" + str(self._task.args.get("text", "")).rstrip() + "\n")
        return {**result, "changed": False}
