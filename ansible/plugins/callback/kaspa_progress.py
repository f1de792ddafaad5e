"""Prints every few seconds which task is still running, on which hosts, and for how long."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.kaspa.private_peers.plugins.plugin_utils.kaspa_terminal import aside, show

DOCUMENTATION = r"""
name: kaspa_progress
type: aggregate
short_description: Heartbeat for tasks that take long
description:
  - While a task runs longer than a few seconds, a line says which hosts it still runs on, and for how long.
  - At the end one line gives the time that all of it took.
  - Ansible's own callbacks show a task when it starts and when it ends, and nothing between.
  - If the output belongs to another callback than Ansible's default, such as json, the lines go to standard error.
"""

INTERVAL = 4.0
"""Seconds between two lines."""


class Heartbeat:
    """The running tasks and the lines about them; times are seconds of `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._task = ""
        self._began = 0.0
        self._hosts: dict[str, None] = {}

    def task_started(self, name: str) -> None:
        """A new task; no host runs it yet."""
        with self._lock:
            self._task, self._began = name, self._clock()
            self._hosts.clear()

    def host_started(self, host: str) -> None:
        """A host begins with the task."""
        with self._lock:
            self._hosts[host] = None

    def host_ended(self, host: str) -> None:
        """A host is done with the task."""
        with self._lock:
            self._hosts.pop(host, None)

    def line(self) -> str | None:
        """The line about running tasks, or None if there are none."""
        with self._lock:
            if not self._hosts:
                return None
            seconds = self._clock() - self._began
            return f"... {self._task}: still running on {', '.join(self._hosts)} ({seconds:.0f} s)"


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Feeds a Heartbeat from Ansible's events."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kaspa_progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display: Any = None, options: Any = None) -> None:
        super().__init__(display=display, options=options)
        self._heartbeat = Heartbeat()
        self._began = time.monotonic()
        self._next: threading.Event | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._began = time.monotonic()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._started(task.get_name())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._started(task.get_name())

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._heartbeat.host_started(host.get_name())

    def _ended(self, result: Any) -> None:
        self._heartbeat.host_ended(result._host.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        self._ended(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._ended(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._ended(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._ended(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self._next:
            self._next.set()
        show(f"Took {time.monotonic() - self._began:.0f} s.")

    def _started(self, name: str) -> None:
        if self._next:
            self._next.set()
        self._heartbeat.task_started(name)
        self._next = threading.Event()
        threading.Thread(target=self._beat, args=(self._next,), daemon=True).start()

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(INTERVAL):
            line = self._heartbeat.line()
            if line:
                # Not with the display object: Ansible forks at this time, and a child must not inherit a lock that we
                # hold.
                os.write(2 if aside() else 1, f"{line}\n".encode())
