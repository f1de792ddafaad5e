"""How a host is reached: what Ansible's own code makes of the inventory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Become:
    """How a command gets another user's rights.

    wrap: makes a command line for `sh` of another one; returns it with the prompt for the password. password: the
    answer to that prompt, None if there will be no prompt.
    """

    wrap: Callable[[str], tuple[str, str]]
    password: str | None = None


@dataclass(frozen=True)
class ConnectionSettings:
    """address: what Ansible gives ssh as the destination; None for this machine.

    ssh: the command line that Ansible starts, up to the destination. password: for the login.
    interpreter: Python on the host. become: None if the login user runs all commands.
    """

    address: str | None
    ssh: tuple[str, ...] = ("ssh",)
    password: str | None = None
    interpreter: str = "python3"
    become: Become | None = None
