"""Prints, after Ansible's recap, which hosts a playbook left out, and what to do if it failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible import constants
from ansible.plugins.callback import CallbackBase
from ansible_collections.kaspa.private_peers.plugins.plugin_utils.kaspa_terminal import show

DOCUMENTATION = r"""
name: kaspa_last_lines
type: aggregate
short_description: The last lines of a playbook that did not do all of its work
description:
  - Ansible shows a failure in the middle of its own output. At the very end, this prints one line for each reason for
    which hosts were left out, and the command that finds out more.
  - The playbooks set both as custom statistics of the run, C(kaspa_left_out) and C(kaspa_on_failure).
"""


def last_lines(said: Mapping[str, Any], *, failed: bool) -> Sequence[str]:
    """The lines. said: the custom statistics of the run. failed: whether a host failed or was lost."""
    left_out = [str(line) for line in said.get("kaspa_left_out", [])]
    advice = str(said.get("kaspa_on_failure", ""))
    return [*left_out, *([advice] if advice and (failed or left_out) else [])]


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Shows the lines."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kaspa_last_lines"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The end of the run."""
        counts = [stats.summarize(host) for host in stats.processed]
        failed = any(count["failures"] or count["unreachable"] for count in counts)
        for line in last_lines(stats.custom.get("_run", {}), failed=failed):
            show(line, color=constants.COLOR_ERROR)
