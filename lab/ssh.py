"""SSH to the hosts from the LAN side of their firewalls, with the lab's own keys and host keys."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.command import run
from lab.namespaces import NamedNamespaces
from lab.paths import CONTROL, Paths
from lab.topology import Host

HOST_KEY = "etc/ssh/ssh_host_ed25519_key"


def options(paths: Paths) -> list[str]:
    """Options of every connection: the lab's key and known hosts, nothing of the user's."""
    values = {
        "IdentityFile": paths.key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": paths.known_hosts,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "ServerAliveInterval": 5,
        "ServerAliveCountMax": 3,
        "ConnectTimeout": 5,
        "BatchMode": "yes",
    }
    return ["-F", "/dev/null", *(f"-o{key}={value}" for key, value in values.items())]


def command(paths: Paths, host: Host, words: Sequence[str], *, extra: Sequence[str] = ()) -> list[str]:
    """The command line that runs `words` on the host as root (a login shell without words)."""
    enter = NamedNamespaces().enter(host.vantage)
    return [*enter, "ssh", *options(paths), *extra, f"root@{host.address}", *words]


def make_key(path: Path, comment: str) -> str:
    """Make an Ed25519 key if there is none; returns its public half as `type key`."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    kind, key, *_ = path.with_name(path.name + ".pub").read_text().split()
    return f"{kind} {key}"


def close_shared(control: Path = CONTROL) -> None:
    """End ssh's shared connections, so that no later command waits for a dead host."""
    if not control.is_dir():
        return
    for socket in control.iterdir():
        if shutil.which("ssh"):
            subprocess.run(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "lab"], capture_output=True, timeout=10)
        socket.unlink(missing_ok=True)
