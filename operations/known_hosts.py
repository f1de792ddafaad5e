"""Whether a host has a key that we know. `ssh-keygen` reads the files. Nothing is learned or written."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from operations.problems import HostProblem
from operations.ssh_config import SshConfig

_KRL = b"SSHKRL\n"


@dataclass
class KnownKeys:
    """Keys as (type, base64). certified: whether a certificate authority vouches for the host."""

    config: SshConfig
    good: set[tuple[str, str]] = field(default_factory=set)
    revoked: set[tuple[str, str]] = field(default_factory=set)
    certified: bool = False

    @property
    def types(self) -> set[str]:
        """The types of keys that the host is known to have."""
        return {kind for kind, _ in self.good}

    def check(self, ours: tuple[str, str], fingerprint: str, host: str) -> None:
        """Raises HostProblem unless the host may have this key."""
        where, shown = self.config.where, f"{ours[0]} {fingerprint}"
        if ours in self.revoked:
            raise HostProblem(f"the host key of {where} is revoked: {shown}", host)
        for path in self.config.revoked_keys:
            if _revokes(path, ours, host):
                raise HostProblem(f"the host key of {where} is revoked by {path}: {shown}", host)
        if ours in self.good:
            return
        there = [path for path in self.config.known_hosts if os.path.exists(path)] or self.config.known_hosts[:1]
        files = " or ".join(there) or "any file"
        if ours[0] in self.types:
            raise HostProblem(
                f"{where} has another host key ({fingerprint}) than {files} says: if it was "
                "installed again, remove its old line there; otherwise somebody may be in between",
                host,
            )
        if self.certified:
            raise HostProblem(
                f"{where} is known by a certificate authority only, and tasks can't check host certificates: "
                f"add the host's own key ({shown}) to {files}",
                host,
            )
        raise HostProblem(f"the host key of {where} is not in {files}: check {shown} and log in once with ssh", host)


def known_keys(config: SshConfig, host: str) -> KnownKeys:
    """Ask `ssh-keygen -F`, which also knows hashed names, wildcards and lines that are none. Raises HostProblem."""
    known = KnownKeys(config)
    more = _listed(config.known_hosts_command, host) if config.known_hosts_command else b""
    files = [(path, b"") for path in config.known_hosts if os.path.isfile(path)]
    for name in config.names:
        for path, given in [*files, *([("/dev/stdin", more)] if more else [])]:
            _add(known, _keygen("-F", name, "-f", path, given=given).stdout.decode(errors="replace"))
        if known.good:
            break
    return known


def _listed(command: str, host: str) -> bytes:
    """The lines that KnownHostsCommand prints."""
    done = subprocess.run(["sh", "-c", f"exec {command}"], capture_output=True, start_new_session=True)
    if done.returncode:
        raise HostProblem(f"`{command}` (KnownHostsCommand) ended with {done.returncode}", host)
    return done.stdout


def _add(known: KnownKeys, found: str) -> None:
    for line in found.splitlines():
        words = line.split()
        marker = words.pop(0) if line.startswith(("@", "#")) else ""
        if marker == "@cert-authority":
            known.certified = True
        elif marker != "#" and len(words) > 2:
            (known.revoked if marker == "@revoked" else known.good).add((words[1], words[2]))


def _revokes(path: str, key: tuple[str, str], host: str) -> bool:
    """Whether a file of RevokedHostKeys (a list of keys, or a KRL) has the key."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise HostProblem(f"{path} (RevokedHostKeys) can't be read: {error.strerror}", host) from error
    if not content.startswith(_KRL):
        return key[1].encode() in content.split()
    asked = _keygen("-Q", "-f", path, "/dev/stdin", given=" ".join(key).encode())
    if asked.returncode not in (0, 1):
        raise HostProblem(f"{path} (RevokedHostKeys) can't be used: {asked.stderr.decode().strip()}", host)
    return asked.returncode == 1


def _keygen(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    # In a session of its own, because Ctrl-C at the terminal is ours.
    return subprocess.run(["ssh-keygen", *words], input=given, capture_output=True, start_new_session=True)
