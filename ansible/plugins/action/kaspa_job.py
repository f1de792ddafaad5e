"""Follows a detached program on a host, and shows its output line by line."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.kaspa.private_peers.plugins.plugin_utils.kaspa_terminal import show

_MODULE = "kaspa.private_peers.kaspa_job"
_TAIL = 20
_PATIENCE = 300.0
_PAUSE = 5.0
"""Seconds to wait for a lost connection, and between two attempts."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action behind a `kaspa_job` task; the module of that name does the work on the host.

    `async` with async_status can't do this: it gives the output at the end only, and a second run of a playbook can't
    find the job that an interrupted one has left, so it would build again.
    """

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"name", "argv", "user", "directory", "log", "environment", "wait", "timeout", "failure"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Start the program, if it is not running, and return after its end: state, lines (the last ones), changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        if self._task.check_mode:
            return {**result, "skipped": True, "msg": "not run in check mode"}
        arguments = dict(self._task.args)
        failure = arguments.pop("failure", None) or f"{arguments.get('name')} failed"
        if not arguments.get("argv"):
            return {**result, **self._execute_module(_MODULE, arguments, task_vars=task_vars)}
        host = self._task.delegate_to or (task_vars or {}).get("inventory_hostname", "")
        tail: deque[str] = deque(maxlen=_TAIL)
        answer: dict[str, Any] = {"offset": -1}
        while answer.get("state", "running") == "running":
            answer = self._next({**arguments, "offset": answer["offset"]}, host, task_vars)
            if answer.get("failed"):
                return {**result, **answer, "msg": f"{failure}: {answer.get('msg', 'the module said nothing')}"}
            for line in answer["lines"]:
                show(f"{host}: {line}")
                if line.strip():
                    tail.append(line)
        result.update(state=answer["state"], lines=list(tail), changed=True)
        if answer["state"] != "done":
            last = f"{tail[-1]} ({answer['why']})" if tail else answer["why"]
            result.update(failed=True, msg=f"{failure}: {last}")
        return result

    def _next(self, arguments: dict[str, Any], host: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """The module's answer; waits for a connection that is lost while the program runs."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                answer: dict[str, Any] = self._execute_module(_MODULE, arguments, task_vars=task_vars)
                return answer
            except AnsibleConnectionFailure as error:
                if arguments["offset"] < 0:
                    raise
                if time.monotonic() >= deadline:
                    raise AnsibleActionFail(
                        f"{host} has been out of reach for {_PATIENCE:.0f} s; the program goes on there, and the next "
                        "run of this playbook follows it on"
                    ) from error
            show(f"{host}: out of reach; the program goes on there, and is asked after again")
            self._reset()
            time.sleep(_PAUSE)

    def _reset(self) -> None:
        """The dead connection may be a shared one."""
        try:
            self._connection.reset()
        except (AnsibleError, AttributeError) as error:
            Display().vvv(f"the connection can't be reset: {error}")
