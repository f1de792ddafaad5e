"""Locks a host for this run of ansible-playbook, and says who has locked it if somebody has."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_holder import Holder, claim, holder_for, run_id


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action behind a `kaspa_lock` task; the module of that name does the work on the host."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"path", "state", "what", "run", "seize"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take or release the lock. The result of taking it has `ours`, and `taken`: whether this task has changed it.

        `told`: a sentence on another holder, or ""."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = self._task.args
        # Tasks run in children of ansible-playbook.
        run = str(arguments.get("run") or run_id(os.getppid()))
        ours = holder_for(run, str(arguments.get("what", "")), datetime.now(UTC))
        call = {"path": arguments["path"], "state": arguments.get("state", "held"), "holder": ours}
        answer: dict[str, Any] = {}

        def ask(instead_of: str) -> Holder:
            # A module that failed says nothing of a holder, and its failure is the result.
            answer.update(self._execute_module("kaspa_lock", {**call, "instead_of": instead_of}, task_vars=task_vars))
            return answer.get("holder") or ours

        if call["state"] == "held":
            held, told = claim(ours, ask, datetime.now(UTC), seize=bool(arguments.get("seize")))
            # A run that holds the lock already passes its id on to a playbook, and releases it itself.
            taken = held and answer.get("holder") == ours
            return {**result, **answer, "ours": held, "taken": taken, "told": told}
        ask("")
        return {**result, **answer}
