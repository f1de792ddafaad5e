"""How a host is reached: Ansible's variables and its arguments for ssh, read for a library instead of ssh."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from operations.problems import UsageProblem

DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True)
class ConnectionSettings:
    """address and port: None for this machine. user: None for ssh's default. keys: files, tried in order.

    only_keys: no agent and no other keys. config: ssh's configuration file, None for no such file.
    proxy: a command line with %h and %p that becomes the connection; jumps: `[user@]host[:port]`, nearest first.
    interpreter: Python on the host. sudo: whether to become root with `sudo -n`.
    """

    address: str | None
    port: int | None = None
    user: str | None = None
    password: str | None = None
    keys: tuple[str, ...] = ()
    only_keys: bool = False
    known_hosts: tuple[str, ...] = DEFAULT_KNOWN_HOSTS
    config: str | None = "~/.ssh/config"
    proxy: str | None = None
    jumps: tuple[str, ...] = ()
    interpreter: str = "python3"
    sudo: bool = False


@dataclass
class SshArguments:
    """The options of ssh's command line that say how to reach a host."""

    options: dict[str, str]
    config: str | None = None

    def get(self, name: str) -> str | None:
        """An option's value by its name, in any case."""
        return self.options.get(name.lower())

    def files(self, name: str, default: Sequence[str]) -> list[str]:
        """An option that names files; `none` means no file."""
        value = self.get(name)
        if value is None:
            return list(default)
        return [] if value.lower() == "none" else shlex.split(value)


def ssh_arguments(*texts: str) -> SshArguments:
    """Read ssh's arguments from Ansible's variables. As in ssh, the first value of an option counts.

    Other options (multiplexing, keep-alive) are read and ignored.
    """
    found = SshArguments({})
    try:
        words = [word for text in texts for word in shlex.split(text)]
    except ValueError as error:
        raise UsageProblem(f"the inventory's ssh arguments can't be read: {error}") from None
    rest = iter(words)
    for word in rest:
        letter, value = word[:2], word[2:]
        if letter in ("-o", "-F", "-i", "-J", "-p", "-l"):
            value = value or next(rest, "")
        if letter == "-o":
            name, _, value = value.replace("=", " ", 1).partition(" ")
            found.options.setdefault(name.strip().lower(), value.strip())
        elif letter == "-F":
            found.config = value
        elif letter in ("-i", "-J", "-p", "-l"):
            name = {"-i": "identityfile", "-J": "proxyjump", "-p": "port", "-l": "user"}[letter]
            found.options.setdefault(name, value)
    return found
