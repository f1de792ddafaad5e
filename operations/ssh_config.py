"""What ssh would do for a host, as `ssh -G` says it. Nothing here reads ssh's configuration."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import socket
import subprocess
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from operations.connection_settings import ConnectionSettings
from operations.problems import HostProblem

CONNECT_SECONDS = 10.0
_JUMP = "Setting implicit ProxyCommand from ProxyJump: "


def ask_ssh(settings: ConnectionSettings, host: str) -> SshConfig:
    """Ask for the configuration of a host. host: its name in the inventory, for messages. Raises HostProblem."""
    assert settings.address is not None
    try:
        # With -v, ssh also says the command that it makes of ProxyJump.
        done = subprocess.run(
            [*settings.ssh, "-v", "-G", settings.address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            start_new_session=True,  # Ctrl-C at the terminal is ours
            timeout=CONNECT_SECONDS,
        )
    except OSError as error:
        raise HostProblem(f"{settings.ssh[0]} can't be started: {error.strerror}", host) from error
    except subprocess.TimeoutExpired:
        raise HostProblem(f"`{settings.ssh[0]} -G {settings.address}` does not end; see ~/.ssh/config", host) from None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode:
        reason = next((line for line in reversed(said) if not line.startswith("debug1: ")), "no reason given")
        raise HostProblem(f"can't reach {settings.address}: ssh says: {reason}", host)
    jump = next((line.partition(_JUMP)[2] for line in said if _JUMP in line), None)
    return SshConfig(done.stdout, jump and _jump_by(settings.ssh[0], jump))


def _jump_by(program: str, command: str) -> str:
    """The command that ssh made of ProxyJump, with the program that the inventory names for ssh.

    Such a program prepares the surroundings of ssh, and ssh to a jump host needs them too.
    """
    _, _, rest = command.partition(" ")
    return f"{shlex.quote(program).replace('%', '%%')} {rest}".replace(" -v -W ", " -W ", 1)


class SshConfig:
    """Options by ssh_config(5), with tokens and `~` replaced. Raises HostProblem if ssh's answer can't be used.

    jump: the ProxyCommand that ssh made of ProxyJump.
    """

    def __init__(self, answer: str, jump: str | None = None) -> None:
        self._values: dict[str, list[str]] = defaultdict(list)
        for line in answer.splitlines():
            name, _, value = line.partition(" ")
            self._values[name].append(value)
        self.host = self._one("hostname")
        self.port = int(self._one("port"))
        self.user = self._one("user")
        self._command = jump or self._one("proxycommand")

    def _one(self, name: str) -> str:
        """The option's first value; empty if it has none."""
        value = next(iter(self._values[name]), "")
        return "" if value == "none" else value

    def yes(self, name: str) -> bool:
        """Whether the option is switched on."""
        return self._one(name) in ("yes", "true")

    def algorithms(self, name: str) -> list[str]:
        """The option's list with commas."""
        return self._one(name).split(",")

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.user}@{self.host}:{self.port}"

    @property
    def names(self) -> list[str]:
        """The names that known_hosts has the host by. The next one counts if it has no key by the one before."""
        if alias := self._one("hostkeyalias"):
            return [alias]
        return [self.host] if self.port == 22 else [f"[{self.host}]:{self.port}", self.host]

    @property
    def proxy(self) -> str | None:
        """The command whose input and output are the connection."""
        return self._expand(self._command) or None

    @property
    def timeout(self) -> float:
        """Seconds for the connection."""
        return float(self._one("connecttimeout") or CONNECT_SECONDS)

    @property
    def methods(self) -> set[str]:
        """The methods of logging in that are allowed."""
        wanted = self._one("preferredauthentications") or "publickey,keyboard-interactive,password"
        switches = {
            "publickey": "pubkeyauthentication",
            "keyboard-interactive": "kbdinteractiveauthentication",
            "password": "passwordauthentication",
        }
        off = {name for name, switch in switches.items() if self._one(switch) in ("no", "false")}
        return set(wanted.split(",")) - off

    @property
    def family(self) -> socket.AddressFamily:
        """Of the addresses that ssh uses."""
        families = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
        return families.get(self._one("addressfamily"), socket.AF_UNSPEC)

    @property
    def source(self) -> str | None:
        """The local address to connect from."""
        return self._one("bindaddress") or None

    @property
    def identities(self) -> list[str]:
        """Files with login keys, in order. Some may be missing, or have public keys only."""
        return [self._path(value) for value in self._values["identityfile"] if value != "none"]

    @property
    def certificates(self) -> list[str]:
        """Files with certificates of login keys."""
        return [self._path(value) for value in self._values["certificatefile"] if value != "none"]

    @property
    def agent(self) -> str | None:
        """The agent's socket."""
        value = self._values["identityagent"][0] if self._values["identityagent"] else "SSH_AUTH_SOCK"
        if value == "none":
            return None
        if value == "SSH_AUTH_SOCK" or value.startswith("$"):
            return os.environ.get(value.lstrip("$").strip("{}")) or None
        return self._path(value)

    @property
    def known_hosts(self) -> list[str]:
        """Files with host keys: the user's, then the system's."""
        return [*self._files("userknownhostsfile"), *self._files("globalknownhostsfile")]

    @property
    def known_hosts_command(self) -> str:
        """The command that prints more of their lines; empty if there is none."""
        return self._expand(self._one("knownhostscommand"))

    @property
    def revoked_keys(self) -> list[str]:
        """Files with host keys that are refused."""
        return self._files("revokedhostkeys")

    def _files(self, name: str) -> list[str]:
        """ssh says several files in one line without quotes: a path with blanks is one if there is such a file."""
        words = self._one(name).split(" ")
        files = []
        while words and words[0]:
            ends = [end for end in range(len(words), 1, -1) if os.path.exists(self._path(" ".join(words[:end])))]
            end = ends[0] if ends else 1
            files.append(self._path(" ".join(words[:end])))
            words = words[end:]
        return files

    def _path(self, value: str) -> str:
        text = self._expand(value)
        # ssh takes the home directory from the password file, not from HOME.
        return (
            f"{self._tokens['d']}{text[1:]}" if text == "~" or text.startswith("~/") else str(Path(text).expanduser())
        )

    def _expand(self, text: str) -> str:
        """Replace the tokens of ssh_config(5), and variables of the environment."""

        def value(match: re.Match[str]) -> str:
            if match[1] is None:
                return os.environ.get(match[2], "")
            if match[1] not in self._tokens:
                raise HostProblem(f"tasks don't know {match[0]} in ssh's configuration ({text})")
            return self._tokens[match[1]]

        return re.sub(r"%(.)|\$\{(\w+)\}", value, text)

    @cached_property
    def _tokens(self) -> dict[str, str]:
        here, me = socket.gethostname(), pwd.getpwuid(os.getuid())
        return {
            "%": "%",
            "d": me.pw_dir,
            "h": self.host,
            "H": self.names[0],
            "I": "HOSTNAME",
            "i": str(me.pw_uid),
            "j": self._one("proxyjump"),
            "k": self._one("hostkeyalias") or self.host,
            "L": here.partition(".")[0],
            "l": here,
            "n": self._one("host") or self.host,
            "p": str(self.port),
            "r": self.user,
            "u": me.pw_name,
        }
