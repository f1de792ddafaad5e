"""Runs a program on the controller and shows its output line by line."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.kaspa.private_peers.plugins.plugin_utils.kaspa_terminal import show

DOCUMENTATION = r"""
module: kaspa_run
short_description: Run a program on the controller with its output on the terminal
description:
  - Like ansible.builtin.command on the controller, but each line is shown when it is printed, so that nothing is
    silent for long. ansible.builtin.command has the output after the program's end only.
  - It needs no connection to the host and takes part in no privilege escalation.
  - In check mode nothing runs, and the task is skipped.
options:
  argv: {type: list, elements: str, required: true, description: The program and its arguments.}
  chdir: {type: path, description: "The directory to run it in; default: that of the playbook."}
  environment: {type: dict, description: Variables added to the controller's environment.}
  creates: {type: path, description: "A file; where it exists, nothing runs."}
  ok_codes: {type: list, elements: int, default: [0], description: Exit codes that are no failure.}
  failure: {type: str, description: What to say when it fails, before its last line.}
"""

_TAIL = 20


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action behind a `kaspa_run` task."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"argv", "chdir", "environment", "creates", "ok_codes", "failure"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the program; the result holds exit_code, lines (the last ones) and changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = self._task.args
        argv = [str(word) for word in arguments.get("argv") or ()]
        if not argv:
            raise AnsibleActionFail("kaspa_run needs argv, a list of words")
        if arguments.get("creates") and os.path.exists(arguments["creates"]):
            return {**result, "changed": False, "msg": f"{arguments['creates']} exists"}
        if self._task.check_mode:
            return {**result, "skipped": True, "msg": "not run in check mode"}
        try:
            code, lines = _run(argv, arguments.get("chdir"), arguments.get("environment") or {})
        except OSError as error:
            raise AnsibleActionFail(f"{argv[0]} can't be started: {error.strerror}") from error
        last = lines[-1] if lines else "it printed nothing"
        result.update(exit_code=code, lines=list(lines), changed=True)
        if code not in (arguments.get("ok_codes") or [0]):
            what = arguments.get("failure") or f"`{' '.join(argv[:4])}` failed with exit code {code}"
            result.update(failed=True, msg=f"{what}: {last}")
        return result


def _run(argv: list[str], directory: str | None, environment: dict[str, str]) -> tuple[int, deque[str]]:
    """Exit code and last lines of a program without input, both streams together, each line shown at once."""
    lines: deque[str] = deque(maxlen=_TAIL)
    with subprocess.Popen(
        argv,
        cwd=directory,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **{k: str(v) for k, v in environment.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            show(line.rstrip())
            if line.strip():
                lines.append(line.rstrip())
    return process.returncode, lines
