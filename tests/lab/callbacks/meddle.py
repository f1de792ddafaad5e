"""Runs a command just before a task begins, so that a test can break something in the middle of verify."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: meddle
type: aggregate
short_description: Break something between two tasks
description:
  - E(MEDDLE) is a JSON object from a task's name to the command line that runs before it, on the controller.
  - No host has begun the task, and all have ended the one before it, until the command is done.
"""

SECONDS = 30


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Holds the commands; each runs once."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "meddle"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display: Any = None, options: Any = None) -> None:
        super().__init__(display=display, options=options)
        self._commands: dict[str, list[str]] = json.loads(os.environ["MEDDLE"])

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        argv = self._commands.pop(task.get_name().partition(" : ")[2], None)
        if argv is not None:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
            )
            self._display.display(f"meddled: {argv[-1]} ({done.returncode}) {done.stderr.strip()}")
