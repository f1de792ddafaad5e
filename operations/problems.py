"""What can go wrong, each in one line for people: where, what happened, what to do next.

OperationProblem      1   the task did not succeed
├── UsageProblem      2   an unknown host or session, no inventory, a wrong option
└── HostProblem       2   a host can't be reached or used
    ├── Interrupted   2   Ctrl-C, or the end of the time that a task may take
    └── MissingFile   2   a file on it does not exist

The numbers are the exit codes of a task with such a problem.
"""

from __future__ import annotations

from kaspa_node.errors import EXIT_BAD_INPUT, EXIT_FAILED, one_line


class OperationProblem(Exception):
    """host: its name in the inventory, or None if the problem is not about a host. text: one line."""

    exit_code = EXIT_FAILED

    def __init__(self, text: str, host: str | None = None) -> None:
        self.text = one_line(text)
        self.host = host
        super().__init__(self.text)

    def __str__(self) -> str:
        return self.text if self.host is None else f"{self.host}: {self.text}"


class UsageProblem(OperationProblem):
    """The command line or the inventory can't be used."""

    exit_code = EXIT_BAD_INPUT


class HostProblem(OperationProblem):
    """A host can't be reached, refuses the login or root, or does not answer in time."""

    exit_code = EXIT_BAD_INPUT


class Interrupted(HostProblem):
    """The command on the host was ended together with the task; the user knows this already."""

    def __init__(self, host: str) -> None:
        super().__init__("interrupted", host)


class MissingFile(HostProblem):
    """There is no such file on the host."""
